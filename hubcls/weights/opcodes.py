"""The first gate before a pickle: every instruction is looked at before one of them runs."""

from __future__ import annotations

import io
import pickletools
from collections.abc import Container, Sequence
from typing import Any

from hubcls.errors import UnsafeCheckpointError, WeightsError

# What every framework writes (pickle protocols 2 to 5). NEWOBJ, INST, OBJ, EXT and the
# like build objects without a call of what `find_class` gave, so they stay out.
_NAMES = """
    PROTO FRAME STOP MARK NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT
    BINUNICODE SHORT_BINUNICODE BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES
    EMPTY_LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT SETITEM
    SETITEMS BINGET LONG_BINGET BINPUT LONG_BINPUT MEMOIZE GLOBAL STACK_GLOBAL REDUCE
    BUILD
"""
COMMON_OPCODES = frozenset(_NAMES.split())
"""Pickle instructions that PyTorch and PaddlePaddle both write."""

_STORING = frozenset({"BINPUT", "LONG_BINPUT", "MEMOIZE"})
_RECALLING = frozenset({"BINGET", "LONG_BINGET"})
_FILLING = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "BUILD"})
_KEYED = frozenset({"SETITEM", "SETITEMS"})
_MAX_DEPTH = 100
_MARK = -1


def check_opcodes(
    stream: io.BytesIO, *, opcodes: Container[str], names: Container[tuple[str, str]]
) -> None:
    """Refuse the next pickle in `stream` if it could do more than build dictionaries.

    Beside instructions and names this guards the interpreter's C stack, which a tuple of
    a million levels overflows when it is hashed; its patience, which a tuple of thirty
    levels outlasts if each level holds the one below twice; and its memo: places are
    handed out one by one, and one far beyond makes the C unpickler reserve memory up to
    there.

    Args:
        stream: stands at the pickle's first byte; stands anywhere afterwards.
        opcodes: instructions that the pickle may give.
        names: pairs of module and name that the pickle may mention.

    Raises:
        UnsafeCheckpointError: an instruction, a name, a memo place, a dictionary's key or
            the depth of nesting is none that the framework writes.
        WeightsError: the bytes are no whole pickle.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name not in opcodes:
                raise refusal(f"pickle instruction {opcode.name}")
            if opcode.name == "GLOBAL":
                module_name, _, name = str(argument).partition(" ")
                check_global(module_name, name, names)
            machine.step(opcode, argument)
    except (LookupError, ValueError) as error:
        raise WeightsError(f"the checkpoint is damaged: {error}") from None


def check_global(module_name: str, name: str, allowed: Container[tuple[str, str]]) -> None:
    """Refuse a name outside the list.

    Raises:
        UnsafeCheckpointError: the pair is not in `allowed`.
    """
    if (module_name, name) not in allowed:
        raise refusal(f"{module_name}.{name}")


def refusal(what: str) -> UnsafeCheckpointError:
    """The error for a checkpoint that asks for `what`."""
    return UnsafeCheckpointError(
        f"the checkpoint asks for {what}; only dictionaries of tensors are read.\n"
        "  It may carry code. If you trust it, open it where it was made and save its "
        "state_dict alone, best as .safetensors."
    )


class _Machine:
    """Follows how deeply the values on the unpickler's stack are nested, without any value."""

    def __init__(self) -> None:
        self.stack: list[int] = []
        self.memo: dict[int, int] = {}

    def step(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        """Do to the depths what the instruction does to the values."""
        if opcode.name in _STORING:
            self._store(len(self.memo) if argument is None else argument)
        elif opcode.name in _RECALLING:
            self.stack.append(self.memo[argument])
        elif opcode.name == "MARK":
            self.stack.append(_MARK)
        else:
            taken = self._take(opcode.stack_before)
            if opcode.name in _KEYED and any(taken[1::2]):
                raise refusal("keys that are neither text nor numbers")
            if opcode.stack_after:
                self._push(_depth(opcode.name, taken))

    def _store(self, place: int) -> None:
        # Python 2's cPickle counts places from 1.
        if place > len(self.memo) + 1:
            raise refusal(f"memo place {place}")
        self.memo[place] = self.stack[-1]

    def _take(self, wanted: Sequence[pickletools.StackObject]) -> list[int]:
        """Depths of the values that an instruction takes, lowest first."""
        taken: list[int] = []
        count = len(wanted)
        if pickletools.markobject in wanted:
            while (depth := self.stack.pop()) != _MARK:
                taken.append(depth)
            count = wanted.index(pickletools.markobject)
        for _ in range(count):
            taken.append(self.stack.pop())
        return taken[::-1]

    def _push(self, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise refusal(f"values nested more than {_MAX_DEPTH} deep")
        self.stack.append(depth)


def _depth(opcode: str, taken: Sequence[int]) -> int:
    if opcode in _FILLING:
        return max(taken[0], 1 + max(taken[1:], default=-1))
    return 1 + max(taken, default=-1)
