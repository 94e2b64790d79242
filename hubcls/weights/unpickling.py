"""An unpickler that can build dictionaries of tensor descriptions, and nothing else.

A pickle is a program. Two gates stand before it: every instruction is checked before
the first one runs, and a name is looked up in a table of our own stand-ins, never
imported. The stand-ins have no attributes that a pickle could set.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hubcls.errors import WeightsError
from hubcls.weights.opcodes import COMMON_OPCODES, check_global, check_opcodes, refusal


@dataclass(frozen=True)
class Dialect:
    """What the pickles of one framework may say.

    Attributes:
        names: pairs of module and name, and what stands for each.
        opcodes: the instructions.
        text_encoding: of the byte strings that Python 2 wrote.
    """

    names: Mapping[tuple[str, str], Any]
    opcodes: frozenset[str] = COMMON_OPCODES
    text_encoding: str = "ascii"


class StandIn:
    """Calls a function of ours in place of a named one.

    A bare function would carry a `__dict__`, into which a pickle can write.
    """

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        """Stand for whatever `function` replaces."""
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        """What the function gives."""
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        """Refuse a pickle's wish to change the function."""
        raise refusal("a changed function")


class _Entries(dict[Any, Any]):
    """Stands for OrderedDict; ignores the `_metadata` that torch hangs on it."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        return None


def _entries(*arguments: Any) -> _Entries:
    """An OrderedDict: Python 3 fills it afterwards, Python 2 hands over a list of pairs.

    The list is emptied, lest a few bytes that name it again make another large dictionary.
    """
    entries = _Entries()
    if not arguments:
        return entries
    (pairs,) = arguments
    for key, value in pairs:
        if type(key) not in (str, int):
            raise refusal("keys that are neither text nor numbers")
        entries[key] = value
    pairs.clear()
    return entries


ORDERED_DICT = StandIn(_entries)
"""Stands for collections.OrderedDict."""


class _Unpickler(pickle.Unpickler):
    """Resolves names from the dialect, and hands persistent ids on."""

    def __init__(self, stream: io.BytesIO, dialect: Dialect, resolve: Callable[[Any], Any]) -> None:
        super().__init__(stream, encoding=dialect.text_encoding)
        self._names = dialect.names
        self._resolve = resolve

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """The stand-in for an allowed name."""
        check_global(module_name, global_name, self._names)
        return self._names[module_name, global_name]

    def persistent_load(self, pid: Any) -> Any:
        """What a persistent id stands for."""
        return self._resolve(pid)


def _no_ids(pid: Any) -> Any:
    raise refusal("a persistent id")


def unpickle(
    stream: io.BytesIO, dialect: Dialect, *, resolve: Callable[[Any], Any] = _no_ids
) -> Any:
    """The object of the next pickle in `stream`.

    Args:
        stream: stands at the pickle's first byte; afterwards behind its last.
        dialect: what the pickle may say.
        resolve: gives what a persistent id stands for, if the dialect has such ids.

    Raises:
        UnsafeCheckpointError: the pickle wants more than dictionaries and tensors.
        WeightsError: the bytes are no whole pickle.
    """
    start = stream.tell()
    check_opcodes(stream, opcodes=dialect.opcodes, names=dialect.names)
    stream.seek(start)
    try:
        return _Unpickler(stream, dialect, resolve).load()
    except (
        pickle.UnpicklingError,
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        MemoryError,
        TypeError,
        ValueError,
    ) as error:
        raise WeightsError(f"the checkpoint is damaged: {error}") from None
