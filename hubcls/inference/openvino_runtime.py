"""OpenVINO, Intel's runtime for networks on CPUs: an optional package."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from hubcls.errors import ConfigError
from hubcls.inference.computing import Outputs
from hubcls.inference.tensorflow_runtimes import FrozenGraph

# Told nothing, OpenVINO computes in bfloat16 on new processors.
_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVINOGraph:
    """A frozen graph compiled by OpenVINO; several batches are computed side by side."""

    def __init__(self, frozen: FrozenGraph, precision: str = "float32") -> None:
        """Compile the graph for batches of any size.

        Args:
            frozen: in float32.
            precision: "float32", or "bfloat16" for what loses little by it.

        Raises:
            ConfigError: the graph reads variables, which OpenVINO cannot.
        """
        import openvino

        function = frozen.function
        if function.captured_inputs:
            raise ConfigError("it has variables that no Keras layer owns")
        core = openvino.Core()
        with tempfile.TemporaryDirectory() as folder:
            # From a file OpenVINO reads a graph thirty times as fast as from Python.
            file = Path(folder) / "graph.pb"
            file.write_bytes(function.graph.as_graph_def().SerializeToString())
            graph = core.read_model(file)
        graph.reshape([-1, *function.inputs[0].shape[1:]])
        settings = {
            "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
            "PERFORMANCE_HINT": "THROUGHPUT",
        }
        self._compiled = core.compile_model(graph, "CPU", settings)
        self._outputs = [self._compiled.output(output.name) for output in function.outputs]
        self._idle: list[Any] = []
        self.most_waiting = int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))

    def begin(self, images: Any) -> Any:
        """Start on a batch."""
        try:
            request = self._idle.pop()
        except IndexError:  # asked and taken in one step, for threads that share the graph
            request = self._compiled.create_infer_request()
        request.start_async({0: np.asarray(images)})
        return request

    def finish(self, begun: Any) -> Outputs:
        """The outputs of a batch."""
        begun.wait()
        outputs = [np.array(begun.get_tensor(port).data, np.float32) for port in self._outputs]
        self._idle.append(begun)
        return outputs
