import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from hubcls.classification.rebuilding import rebuilt
from hubcls.errors import MissingExtraError, UnknownNameError
from hubcls.inference import BACKENDS, Inference
from hubcls.inference.openvino_runtime import OpenVINOGraph
from hubcls.inference.tensorflow_runtimes import FrozenGraph

REPOSITORY = Path(__file__).resolve().parents[2]
RUNTIMES = {"keras": FrozenGraph, "openvino": OpenVINOGraph}
COUNT = 13


@pytest.fixture
def model():
    """Convolutions with BatchNorm, whose statistics are drawn, to features and logits."""
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1)(image)
    for filters in (8, 16):
        x = keras.layers.Conv2D(filters, 3, strides=2, use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    features = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, [features, keras.layers.Dense(3)(features)])
    random = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 2, weight.shape) for weight in layer.weights])
    return model


@pytest.fixture
def images():
    return np.random.default_rng(1).integers(0, 256, (COUNT, 16, 16, 3), np.uint8)


@pytest.fixture
def batches(images):
    """Batches of 4, 4, 4 and 1."""
    return np.split(images, [4, 8, 12])


@pytest.fixture
def many(monkeypatch):
    """Let a few images be enough to compile for."""
    monkeypatch.setattr("hubcls.inference.choosing._WORTH_COMPILING", 2)


def joined(outputs):
    return [np.concatenate(parts) for parts in zip(*outputs, strict=True)]


def largest_differences(found, expected):
    return [np.abs(one - other).max() for one, other in zip(found, expected, strict=True)]


@pytest.mark.parametrize("backend", RUNTIMES)
def test_a_compiled_model_gives_every_output_in_order(model, images, batches, many, backend):
    inference = Inference(model, backend)

    outputs = list(inference.outputs(batches, COUNT))

    assert [type(made) for made in inference._graphs.values()] == [RUNTIMES[backend]]
    assert [len(logits) for _, logits in outputs] == [4, 4, 4, 1]
    assert {output.dtype for batch in outputs for output in batch} == {np.dtype(np.float32)}
    assert max(largest_differences(joined(outputs), model.predict(images, verbose=0))) <= 1e-4


@pytest.mark.parametrize(("precision", "is_folded"), [("float32", True), ("mixed_bfloat16", False)])
def test_a_frozen_graph_in_float32_has_batch_norm_in_its_convolutions(model, precision, is_folded):
    spec = tf.TensorSpec([None, 16, 16, 3], tf.uint8)

    def operations(**settings):
        made = FrozenGraph(rebuilt(model, precision), spec, **settings)
        return {operation.type for operation in made.function.graph.get_operations()}

    assert "Rsqrt" in operations(folds=False)
    assert ("Rsqrt" in operations()) is not is_folded


def test_openvino_is_taken_for_many_images_where_it_is_installed(model, batches, many):
    inference = Inference(model)

    list(inference.outputs(batches, COUNT))

    assert isinstance(inference._graphs["OpenVINO"], OpenVINOGraph)


def test_openvinos_graph_serves_fewer_images_once_it_is_there(model, batches, monkeypatch):
    monkeypatch.setattr("hubcls.inference.choosing._WORTH_COMPILING", COUNT)
    monkeypatch.setattr("hubcls.inference.choosing._WORTH_WAITING", 8)
    inference = Inference(model)

    list(inference.outputs(batches, COUNT))
    list(inference.outputs(batches[:2], 8))
    graphs = set(inference._graphs)
    list(inference.outputs(batches[:1], 4))

    assert graphs == {"OpenVINO"}
    assert set(inference._graphs) == {"OpenVINO", "TensorFlow"}


def test_the_first_two_images_are_computed_without_tracing(model, images):
    inference = Inference(model)

    outputs = [joined(inference.outputs([image[None]], 1)) for image in images[:2]]

    assert model.predict_function is None
    expected = model.predict(images[:2], verbose=0)
    found = [np.concatenate(parts) for parts in zip(*outputs, strict=True)]
    assert max(largest_differences(found, expected)) <= 1e-6


def test_few_images_are_computed_without_compiling(model, images, batches):
    inference = Inference(model)

    outputs = list(inference.outputs(batches, COUNT))

    assert not inference._graphs
    assert max(largest_differences(joined(outputs), model.predict(images, verbose=0))) <= 1e-6


def test_a_model_is_frozen_once_many_single_images_came(model, images, monkeypatch):
    monkeypatch.setattr("hubcls.inference.choosing._WORTH_COMPILING", 3)
    inference = Inference(model)

    frozen = []
    for image in images[:4]:
        list(inference.outputs([image[None]], 1))
        frozen.append(list(inference._graphs))

    assert frozen == [[], [], ["TensorFlow"], ["TensorFlow"]]


def test_new_weights_are_seen_by_the_next_inference(model, batches, many):
    list(Inference(model).outputs(batches, COUNT))
    model.layers[-1].bias.assign_add([1, 2, 3])

    outputs = list(Inference(model).outputs(batches, COUNT))

    expected = model.predict(np.concatenate(batches), verbose=0)
    assert max(largest_differences(joined(outputs), expected)) <= 1e-4


@pytest.mark.parametrize("backend", RUNTIMES)
def test_a_runtime_that_computes_something_else_is_left_aside_with_a_warning(
    model, images, batches, many, backend, monkeypatch, caplog
):
    right = RUNTIMES[backend].finish
    spoilt = lambda runtime, begun: [1.01 * output for output in right(runtime, begun)]  # noqa: E731
    monkeypatch.setattr(RUNTIMES[backend], "finish", spoilt)

    outputs = list(Inference(model, backend).outputs(batches, COUNT))

    assert "would compute other numbers than the model" in caplog.text
    assert max(largest_differences(joined(outputs), model.predict(images, verbose=0))) <= 1e-4


def test_a_model_that_openvino_refuses_runs_in_tensorflow_after_a_warning(
    images, batches, many, caplog
):
    class Keeping(keras.layers.Layer):
        """Adds a variable that Keras does not know of."""

        kept = tf.Variable(2.0)

        def call(self, images):
            return tf.cast(images, tf.float32) + self.kept

    image = keras.Input((16, 16, 3))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(Keeping()(image)))
    inference = Inference(model, "openvino")

    (means,) = joined(inference.outputs(batches, COUNT))

    assert "OpenVINO cannot compile the model" in caplog.text
    assert isinstance(inference._graphs["TensorFlow"], FrozenGraph)
    np.testing.assert_allclose(means, images.mean(axis=(1, 2)) + 2, rtol=1e-5)


def test_float16_is_not_compiled(model, batches, many):
    inference = Inference(rebuilt(model, "mixed_float16"))

    list(inference.outputs(batches, COUNT))

    assert not inference._graphs


@pytest.mark.parametrize("backend", RUNTIMES)
def test_a_model_in_bfloat16_loses_no_more_when_it_is_compiled(
    model, images, batches, many, backend
):
    half = rebuilt(model, "mixed_bfloat16")
    inference = Inference(half, backend)

    outputs = joined(inference.outputs(batches, COUNT))

    true, expected = (each.predict(images, verbose=0) for each in (model, half))
    assert [type(made) for made in inference._graphs.values()] == [RUNTIMES[backend]]
    for one, two, three in zip(outputs, expected, true, strict=True):
        lost = np.sqrt(np.mean((two - three) ** 2))
        assert 0 < lost < 0.1 * three.std()
        assert np.sqrt(np.mean((one - three) ** 2)) < 2.5 * lost + 1e-3 * three.std()


def test_a_model_in_bfloat16_is_not_left_to_what_computes_something_else(
    model, batches, many, monkeypatch, caplog
):
    right = OpenVINOGraph.finish
    monkeypatch.setattr(OpenVINOGraph, "finish", lambda *begun: [1.3 * x for x in right(*begun)])
    inference = Inference(rebuilt(model, "mixed_bfloat16"), "openvino")

    list(inference.outputs(batches, COUNT))

    assert "would compute other numbers than the model" in caplog.text
    assert inference._graphs["OpenVINO"] is None


def test_whoever_stops_reading_leaves_the_model_usable(model, images, batches, many):
    inference = Inference(model, "openvino")
    stopped = inference.outputs(batches, COUNT)
    next(stopped)
    stopped.close()

    outputs = joined(inference.outputs(batches, COUNT))

    assert max(largest_differences(outputs, model.predict(images, verbose=0))) <= 1e-4


def test_no_images_give_no_outputs(model):
    assert list(Inference(model).outputs([], 0)) == []


def test_an_unknown_backend_is_an_error_with_the_known_ones(model):
    with pytest.raises(UnknownNameError, match="Known names: auto, keras, openvino"):
        Inference(model, "onyx")


def test_a_backend_that_is_not_installed_names_its_extra(model, batches, many, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'hubcls\[openvino\]'"):
        Inference(model, "openvino")
    list((automatic := Inference(model)).outputs(batches, COUNT))
    assert list(automatic._graphs) == ["TensorFlow"]


def test_the_names_of_backends_load_no_tensorflow():
    script = "import sys; from hubcls.inference import BACKENDS; sys.exit('keras' in sys.modules)"

    assert BACKENDS == ("auto", "keras", "openvino")
    assert subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY).returncode == 0
