"""The logger of hubcls, with PaddleHub's levels TRAIN and EVAL."""

from __future__ import annotations

import logging
import sys

TRAIN = 21
EVAL = 22

logging.addLevelName(TRAIN, "TRAIN")
logging.addLevelName(EVAL, "EVAL")

logger = logging.getLogger("hubcls")


def show_logs(level: int = logging.INFO) -> None:
    """Print hubcls' log lines on standard error, once, however often this is called.

    A library stays silent until somebody asks; tasks and the command line ask. An
    application that has set up logging itself keeps its own handlers.
    """
    if logger.level == logging.NOTSET:
        logger.setLevel(level)
    if logger.handlers or logging.getLogger().handlers:
        return
    handler = _CurrentStderrHandler()
    handler.setFormatter(logging.Formatter("[%(asctime)s] [%(levelname)8s] - %(message)s"))
    logger.addHandler(handler)


class _CurrentStderrHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to whatever sys.stderr is now, so that captured output stays captured."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)
