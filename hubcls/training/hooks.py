"""PaddleHub's twelve events of a run, and the functions that hang on each."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from hubcls.errors import ConfigError, UnknownNameError

Handler = Callable[..., Any]

# Event → number of arguments a handler takes. The first is the task; the second, where
# there is one, a list of RunState, or one RunState for run_step_event.
EVENTS: dict[str, int] = {
    "build_env_start_event": 1,
    "build_env_end_event": 1,
    "finetune_start_event": 1,
    "finetune_end_event": 2,
    "predict_start_event": 1,
    "predict_end_event": 2,
    "eval_start_event": 1,
    "eval_end_event": 2,
    "log_interval_event": 2,
    "save_ckpt_interval_event": 1,
    "eval_interval_event": 1,
    "run_step_event": 2,
}


class TaskHooks:
    """Named handlers for every event, called in the order in which they were added."""

    def __init__(self) -> None:
        self._handlers: dict[str, dict[str, Handler]] = {event: {} for event in EVENTS}

    def add(self, event: str, name: str | None, func: Handler) -> str:
        """Hang a function on an event.

        Args:
            event: one of `EVENTS`.
            name: what to call it; None makes `hook_<n>`.
            func: takes as many arguments as `EVENTS` says.

        Returns:
            The name.

        Raises:
            ConfigError: no such event, name taken, or wrong number of arguments.
        """
        handlers = self._of(event)
        name = name or f"hook_{len(handlers) + 1}"
        if name in handlers:
            raise ConfigError(
                f"{event} has a hook called {name!r} already; "
                "take another name, or replace it with modify_hook"
            )
        _check_arity(event, func)
        handlers[name] = func
        return name

    def delete(self, event: str, name: str) -> None:
        """Take the function called `name` off an event.

        Raises:
            UnknownNameError: there is none of that name.
        """
        self._known(event, name)
        del self._handlers[event][name]

    def modify(self, event: str, name: str, func: Handler) -> None:
        """Put another function in the place of the one called `name`.

        Raises:
            UnknownNameError: there is none of that name.
            ConfigError: wrong number of arguments.
        """
        self._known(event, name)
        _check_arity(event, func)
        self._handlers[event][name] = func

    def fire(self, event: str, *arguments: Any) -> None:
        """Call every handler of an event."""
        for handler in list(self._of(event).values()):
            handler(*arguments)

    def names(self, event: str) -> tuple[str, ...]:
        """The names of an event's handlers, in calling order."""
        return tuple(self._of(event))

    def handlers(self, event: str) -> dict[str, Handler]:
        """Name → function of an event, in calling order."""
        return dict(self._of(event))

    def info(self, *, show_default: bool = False) -> str:
        """Every hook with the source of its function, as text."""
        lines = []
        for event, handlers in self._handlers.items():
            for name, func in handlers.items():
                if name != "default" or show_default:
                    lines += [f"hook_type: {event}", f"  name: {name}", _source(func), ""]
        return "\n".join(lines)

    def _of(self, event: str) -> dict[str, Handler]:
        if event not in self._handlers:
            raise UnknownNameError("hook event", event, EVENTS)
        return self._handlers[event]

    def _known(self, event: str, name: str) -> None:
        handlers = self._of(event)
        if name not in handlers:
            raise UnknownNameError(f"hook of {event}", name, handlers)


def _check_arity(event: str, func: Handler) -> None:
    if not callable(func):
        raise ConfigError(f"a hook of {event} must be a function, not {func!r}")
    wanted = EVENTS[event]
    try:
        inspect.signature(func).bind(*[None] * wanted)
    except TypeError:
        arguments = "(task)" if wanted == 1 else "(task, run_states)"
        raise ConfigError(
            f"a hook of {event} is called with {wanted} argument(s) {arguments}, "
            f"which {getattr(func, '__name__', func)!r} does not take"
        ) from None


def _source(func: Handler) -> str:
    try:
        return inspect.getsource(func)
    except (OSError, TypeError):
        return repr(func)
