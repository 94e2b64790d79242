"""Tables from a public name to the object that it stands for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from hubcls.errors import ConfigError, UnknownNameError


class Table:
    """Names and the import paths behind them; an entry is imported on first use.

    Nothing registers itself: the whole table stands in one place and can be read there.
    """

    def __init__(self, kind: str, entries: Mapping[str, str], *, hint: str = "") -> None:
        """Check the entries' form.

        Args:
            kind: what an entry is, in the singular, for messages: "optimizer".
            entries: name → "package.module:attribute".
            hint: how to list all names, for the message about an unknown one.

        Raises:
            ConfigError: an import path has no colon.
        """
        malformed = [path for path in entries.values() if path.count(":") != 1]
        if malformed:
            raise ConfigError(f"import paths must read 'module:attribute', not {malformed}")
        self.kind = kind
        self._entries = dict(entries)
        self._hint = hint

    def __getitem__(self, name: str) -> Any:
        """The object called `name`.

        Raises:
            UnknownNameError: no entry has that name.
        """
        if name not in self._entries:
            raise UnknownNameError(self.kind, name, self._entries, hint=self._hint)
        module, attribute = self._entries[name].split(":")
        return getattr(importlib.import_module(module), attribute)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
