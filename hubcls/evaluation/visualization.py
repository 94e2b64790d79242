"""What TensorBoard shows of a run; the event files lie in `<checkpoint_dir>/visualization`."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from hubcls.errors import ConfigError
from hubcls.evaluation.figures import confusion_figure, png, sample_figure

MOST_IMAGES = 32


class Visualization:
    """Writes TensorBoard's event files, through no graph and no TensorFlow operation.

    Tags read "phase/what": "train/loss", "train/learning_rate", "val/accuracy".

    Example:
        with Visualization(Path("ckpt/visualization")) as visualization:
            visualization.scalar("train/loss", 0.7, step=10)
    """

    def __init__(self, folder: Path, *, resumed_step: int | None = None) -> None:
        """Open a new event file.

        Args:
            folder: made when missing.
            resumed_step: the step that a resumed run goes on after; TensorBoard then drops
                what the killed run had written beyond it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._writer = EventFileWriter(str(folder))
        if resumed_step is not None:
            start = SessionLog(status=SessionLog.START)
            self._add(step=resumed_step + 1, session_log=start)

    def scalar(self, tag: str, value: float, step: int) -> None:
        """A point of a curve."""
        self._add_value(step, tag=tag, simple_value=float(value))

    def images(
        self,
        tag: str,
        images: npt.NDArray[np.uint8],
        labels: Sequence[str],
        *,
        step: int,
    ) -> None:
        """The first 32 images as one picture, with their classes as captions.

        Args:
            tag: where to show it.
            images: uint8 [N, H, W, 3], RGB.
            labels: N class names.
            step: of the run.

        Raises:
            ConfigError: there are no images, or not as many labels.
        """
        if len(images) != len(labels) or len(images) == 0:
            raise ConfigError(
                f"images are needed, and as many labels: found {len(images)} and {len(labels)}"
            )
        figure = sample_figure(images[:MOST_IMAGES], labels[:MOST_IMAGES])
        self._picture(tag, png(figure), step)

    def confusion_matrix(
        self,
        confusion: npt.NDArray[np.int64],
        class_names: Sequence[str],
        *,
        step: int,
        tag: str = "val/confusion_matrix",
    ) -> None:
        """The confusion matrix as a picture.

        Args:
            confusion: int [C, C], true class by predicted class.
            class_names: C names.
            step: of the run.
            tag: where to show it.
        """
        self._picture(tag, png(confusion_figure(confusion, class_names)), step)

    def text(self, tag: str, markdown: str, *, step: int = 0) -> None:
        """A text in Markdown, such as the configuration."""
        self._add(step=step, summary=text_pb(tag, markdown))

    def flush(self) -> None:
        """Write out what has been added."""
        self._writer.flush()

    def close(self) -> None:
        """Write out what has been added, and end the file."""
        self._writer.close()

    def __enter__(self) -> Visualization:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _picture(self, tag: str, encoded: bytes, step: int) -> None:
        width, height = Image.open(io.BytesIO(encoded)).size
        picture = Summary.Image(
            height=height, width=width, colorspace=4, encoded_image_string=encoded
        )
        self._add_value(step, tag=tag, image=picture)

    def _add_value(self, step: int, **content: Any) -> None:
        self._add(step=step, summary=Summary(value=[Summary.Value(**content)]))

    def _add(self, **content: Any) -> None:
        self._writer.add_event(Event(wall_time=time.time(), **content))
