"""A Keras model at work: picks a runtime, and proves it before it trusts it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from hubcls.classification.rebuilding import as_float32, compute_dtypes
from hubcls.inference.backends import check_backend, has_openvino
from hubcls.inference.computing import Outputs, Runtime, computed
from hubcls.inference.openvino_runtime import OpenVINOGraph
from hubcls.inference.tensorflow_runtimes import (
    FrozenGraph,
    KerasFunction,
    LayerByLayer,
    as_arrays,
)
from hubcls.logs import logger

# Tracing EfficientNet-Lite0 takes three times as long as computing an image without.
_WORTH_TRACING = 3
# Compiling EfficientNet-Lite0 takes about as long as it saves on so many images.
_WORTH_COMPILING = 300
_WORTH_WAITING = 64
_COMPARED_IMAGES = 4


# Images [n, H, W, 3] to a runtime, and whether it gives the model's outputs for them.
_Make = Callable[[np.ndarray], tuple[Runtime, bool]]


class Inference:
    """Computes any number of images; the model's weights must stay as they are.

    One or two images go through the layers one by one, few through Keras' own function. For
    many the weights become constants of a graph, which OpenVINO computes where it is installed,
    and else TensorFlow. A graph whose outputs differ from the model's on the first images is
    left aside with a warning. Of a model in bfloat16, OpenVINO rounds other numbers than Keras
    does: it may be twice as far from the model in float32. On GPUs, on several devices, and in
    float16 Keras' function stays.
    """

    def __init__(self, model: keras.Model, backend: str = "auto") -> None:
        """Hold the model; nothing is compiled yet.

        Args:
            model: images [B, H, W, 3] to one output or several.
            backend: "keras" leaves OpenVINO aside; "openvino" must be installed, and
                computes few images, too; "auto" decides.

        Raises:
            UnknownNameError: there is no such backend.
            MissingExtraError: openvino is not installed.
        """
        check_backend(backend)
        self.model = model
        self._backend = backend
        self._num_images = 0
        self._graphs: dict[str, Runtime | None] = {}

    @property
    def num_replicas(self) -> int:
        """How many devices share each batch."""
        return int(self.model.distribute_strategy.num_replicas_in_sync)

    def outputs(self, batches: Iterable[Any], count: int) -> Iterator[Outputs]:
        """What the model gives for each batch, in order, as batches come.

        Args:
            batches: uint8 [B, H, W, 3], any B, always of one H and W; a `tf.data.Dataset`
                whose B all replicas share equally, where the model has several.
            count: how many images there are; decides whether compiling is worth it.

        Yields:
            float32 [B, …] for each output.
        """
        self._num_images += count
        if self.num_replicas > 1:
            strategy = self.model.distribute_strategy
            shared_out = strategy.experimental_distribute_dataset(batches)
            yield from computed(KerasFunction(self.model), shared_out)
            return
        remaining = iter(batches)
        first = next(remaining, None)
        if first is not None:
            runtime = self._runtime(np.asarray(first), count)
            yield from computed(runtime, chain([first], remaining))

    def _runtime(self, images: np.ndarray, count: int) -> Runtime:
        """What computes `count` images, of which some are given."""
        if self._backend == "openvino":
            return self._openvino(images)
        on_gpu = bool(tf.config.list_logical_devices("GPU"))
        if self._num_images < _WORTH_TRACING:
            return LayerByLayer(self.model)
        if self._num_images < _WORTH_COMPILING or on_gpu or "float16" in self._dtypes:
            return KerasFunction(self.model)
        # OpenVINO computes several batches side by side; a single one waits longer.
        least = _WORTH_WAITING if self._graphs.get("OpenVINO") else _WORTH_COMPILING
        if self._backend == "auto" and has_openvino() and count >= least:
            return self._openvino(images)
        return self._frozen(images)

    def _openvino(self, images: np.ndarray) -> Runtime:
        make = self._half_openvino if "bfloat16" in self._dtypes else self._full_openvino
        return self._kept("OpenVINO", images, make) or self._frozen(images)

    def _frozen(self, images: np.ndarray) -> Runtime:
        return self._kept("TensorFlow", images, self._full) or KerasFunction(self.model)

    @functools.cached_property
    def _dtypes(self) -> set[str]:
        return compute_dtypes(self.model)

    def _kept(self, name: str, images: np.ndarray, make: _Make) -> Runtime | None:
        """What `make` makes of the model as constants, made and proven once."""
        if name not in self._graphs:
            self._graphs[name] = _made(name, images[:_COMPARED_IMAGES], make)
        return self._graphs[name]

    def _full(self, images: np.ndarray) -> tuple[Runtime, bool]:
        return self._compared(_frozen_graph(self.model, images), images)

    def _full_openvino(self, images: np.ndarray) -> tuple[Runtime, bool]:
        graph = _frozen_graph(self.model, images, folds=False)
        return self._compared(OpenVINOGraph(graph), images)

    def _compared(self, runtime: Runtime, images: np.ndarray) -> tuple[Runtime, bool]:
        return runtime, all(map(_are_equal, _outputs(runtime, images), self._expected(images)))

    def _half_openvino(self, images: np.ndarray) -> tuple[Runtime, bool]:
        full = as_float32(self.model)
        graph = OpenVINOGraph(_frozen_graph(full, images, folds=False), "bfloat16")
        true = as_arrays(full(images, training=False))
        kept = zip(_outputs(graph, images), self._expected(images), true, strict=True)
        return graph, all(_is_as_near(*each) for each in kept)

    def _expected(self, images: np.ndarray) -> Outputs:
        return as_arrays(self.model(images, training=False))


def _made(name: str, images: np.ndarray, make: _Make) -> Runtime | None:
    """The runtime, or a warning if it cannot be made or computes something else."""
    try:
        runtime, is_right = make(images)
    # A model holds whatever layers there are, and each runtime refuses in its own way.
    except Exception as error:
        logger.warning("%s cannot compile the model, which runs as it is: %s", name, error)
        return None
    if is_right:
        return runtime
    logger.warning("%s would compute other numbers than the model; it is left aside", name)
    return None


def _frozen_graph(model: keras.Model, images: np.ndarray, *, folds: bool = True) -> FrozenGraph:
    spec = tf.TensorSpec([None, *images.shape[1:]], images.dtype)
    return FrozenGraph(model, spec, folds=folds)


def _outputs(runtime: Runtime, images: np.ndarray) -> Outputs:
    (outputs,) = computed(runtime, [images])
    return outputs


def _is_as_near(given: np.ndarray, expected: np.ndarray, true: np.ndarray) -> bool:
    """Whether numbers are at most twice as far from the true ones as those expected."""

    def distance(numbers: np.ndarray) -> float:
        return float(np.sqrt(np.mean((numbers - true) ** 2)))

    return distance(given) <= 2 * distance(expected) + 1e-3 * float(true.std())


def _are_equal(given: np.ndarray, expected: np.ndarray) -> bool:
    """Whether numbers differ by less than a thousandth of their spread."""
    finite = np.isfinite(expected)
    if not np.array_equal(finite, np.isfinite(given)):
        return False
    if not finite.any():
        return True
    given, expected = given[finite], expected[finite]
    return bool(np.allclose(given, expected, rtol=1e-5, atol=1e-3 * float(expected.std())))
