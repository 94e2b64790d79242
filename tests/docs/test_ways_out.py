"""What docs/migrating.md says of Keras' and TensorFlow's own tools on what hubcls makes."""

import numpy as np
import pytest
import tensorflow as tf

import hubcls


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A classifier of EfficientNet-Lite0 with its pretrained weights, saved and loaded."""
    folder = tmp_path_factory.mktemp("run")
    task = hubcls.ImageClassifierTask(
        module=hubcls.Module("efficientnet_lite0_imagenet", input_size=64),
        dataset=hubcls.datasets.Digits().with_train_examples(100),
        config=hubcls.RunConfig(num_epoch=0, checkpoint_dir=folder),
    )
    task.finetune_and_eval()
    return hubcls.load(folder)


@pytest.fixture(scope="module")
def images():
    """Eight images, float32 [8, 64, 64, 3]."""
    digits = hubcls.datasets.Digits().split("test").images[:8]
    return np.float32(np.tile(np.kron(digits, np.ones((8, 8, 1))), 3))


def difference(found, wanted):
    """The largest, relative to the logits' spread."""
    return float(np.abs(found - wanted).max() / wanted.std())


@pytest.mark.slow
def test_a_saved_model_answers_as_the_classifier(classifier, images, tmp_path):
    wanted = classifier.model.predict(images, verbose=0)

    classifier.model.export(tmp_path / "served" / "1", verbose=False)

    served = tf.saved_model.load(str(tmp_path / "served" / "1"))
    assert difference(served.serve(images).numpy(), wanted) < 1e-4


@pytest.mark.slow
def test_litert_answers_as_the_classifier(classifier, images):
    wanted = classifier.model.predict(images, verbose=0)
    converter = tf.lite.TFLiteConverter.from_keras_model(classifier.model)

    found = answers(converter.convert(), images)

    assert difference(found, wanted) < 1e-4


@pytest.mark.slow
def test_litert_with_int8_weights_is_a_quarter_as_large_and_near(classifier, images):
    wanted = classifier.model.predict(images, verbose=0)
    converter = tf.lite.TFLiteConverter.from_keras_model(classifier.model)
    whole = converter.convert()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]

    small = converter.convert()

    assert len(small) < 0.35 * len(whole)
    assert difference(answers(small, images), wanted) < 0.2


@pytest.mark.slow
def test_keras_quantizes_the_dense_layers(classifier, images):
    wanted = classifier.model.predict(images, verbose=0)

    classifier.model.quantize("int8")

    found = classifier.model.predict(images, verbose=0)
    assert "int8" in {weight.dtype for weight in classifier.model.weights}
    assert difference(found, wanted) < 0.02


def answers(tflite, images):
    """What a LiteRT model says of images, one after the other."""
    interpreter = tf.lite.Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    [entry], [result] = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for image in images:
        interpreter.set_tensor(entry["index"], image[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(result["index"])[0])
    return np.stack(rows)


def test_tensorflows_profiler_watches_a_run(task_in, tmp_path):
    task = task_in(tmp_path / "run")

    tf.profiler.experimental.start(str(tmp_path / "profile"))
    task.finetune()
    tf.profiler.experimental.stop()

    assert list((tmp_path / "profile").rglob("*.xplane.pb"))
