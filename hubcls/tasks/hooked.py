"""A task whose events call hooks: PaddleHub's methods on `TaskHooks`."""

from __future__ import annotations

from typing import Any

from hubcls.errors import ConfigError
from hubcls.tasks.handlers import DEFAULTS
from hubcls.training.hooks import EVENTS, Handler, TaskHooks


class HookedTask:
    """Registers, replaces and calls the functions that belong to a task's events."""

    def __init__(self) -> None:
        """Start with the task's own handlers, each called "default"."""
        self.hooks = TaskHooks()
        for event, handler in DEFAULTS.items():
            self.hooks.add(event, "default", handler)

    def add_hook(self, hook_type: str, name: str | None = None, func: Handler | None = None) -> str:
        """Call `func` at an event, after the hooks that are there; see `hubcls.training.EVENTS`.

        Raises:
            ConfigError: unknown event, name taken, or wrong number of arguments.
        """
        if func is None:
            raise ConfigError("add_hook needs func, the function to call")
        return self.hooks.add(hook_type, name, func)

    def delete_hook(self, hook_type: str, name: str) -> None:
        """Take a hook off; "default" names the task's own."""
        self.hooks.delete(hook_type, name)

    def modify_hook(self, hook_type: str, name: str, func: Handler) -> None:
        """Put `func` in the place of a hook; "default" names the task's own."""
        self.hooks.modify(hook_type, name, func)

    def hooks_info(self, show_default: bool = False) -> str:
        """All hooks with their sources, as text."""
        return self.hooks.info(show_default=show_default)

    @property
    def has_own_hooks(self) -> bool:
        """Whether any hook was added, replaced or taken off."""
        defaults = {event: {"default": handler} for event, handler in DEFAULTS.items()}
        return any(self.hooks.handlers(event) != defaults.get(event, {}) for event in EVENTS)

    def _fire(self, event: str, *arguments: Any) -> None:
        self.hooks.fire(event, self, *arguments)
