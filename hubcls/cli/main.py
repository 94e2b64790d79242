"""The command `hubcls`: parses, runs one verb, and turns errors into an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence

from hubcls.cli.parsing import build_parser
from hubcls.errors import HubclsError
from hubcls.logs import show_logs
from hubcls.registry import Table

SUCCESS = 0
USER_ERROR = 2
INTERRUPTED = 130

# A verb's file may need TensorFlow, so it is imported when the verb is typed.
_VERBS = Table(
    "verb",
    {
        "augment": "hubcls.cli.augment:run",
        "convert-config": "hubcls.cli.convert_config:run",
        "datasets": "hubcls.cli.datasets:run",
        "eval": "hubcls.cli.evaluate:run",
        "find-lr": "hubcls.cli.find_lr:run",
        "modules": "hubcls.cli.modules:run",
        "predict": "hubcls.cli.predict:run",
        "profile": "hubcls.cli.profile:run",
        "train": "hubcls.cli.train:run",
    },
)

# Keras and TensorFlow import these for what no such verb does, if they are installed: a third of
# its start.
UNUSED_BY = {"predict": ("matplotlib", "pandas", "scipy", "sklearn")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        arguments: what follows `hubcls`; None takes it from the process.

    Returns:
        0, or 2 when the user has to change something, which is then on standard error,
        or 130 after Ctrl-C.
    """
    # TensorFlow greets every process with a page about its build; a user's own value stays.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    parsed = build_parser().parse_args(arguments)
    show_logs()
    try:
        with _hidden(UNUSED_BY.get(parsed.verb, ())):
            run = _VERBS[parsed.verb]
        run(parsed)
        sys.stdout.flush()
    except HubclsError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # `hubcls modules list | head`: the reader has seen enough. What Python flushes at
        # its end must have somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return SUCCESS


@contextlib.contextmanager
def _hidden(packages: Iterable[str]) -> Iterator[None]:
    """Let those of the packages that are not loaded yet look as if they were not installed."""
    hidden = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for package in hidden:
            del sys.modules[package]
