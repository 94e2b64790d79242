"""A SavedModel, drawn here, through the whole task."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

import hubcls

SIZE = 16


class TinyModel(tf.Module):
    """A convolution and a mean that moves while it trains."""

    def __init__(self):
        super().__init__()
        kernel = tf.random.stateless_normal([3, 3, 3, 4], seed=[1, 2], stddev=0.3)
        self.kernel = tf.Variable(kernel, name="kernel")
        self.moving_mean = tf.Variable(tf.zeros([4]), trainable=False, name="moving_mean")

    @tf.function
    def __call__(self, images, training=False):
        features = tf.nn.conv2d(images, self.kernel, 2, "SAME")
        if training:
            mean = tf.reduce_mean(features, [0, 1, 2])
            self.moving_mean.assign(0.9 * self.moving_mean + 0.1 * mean)
        return tf.reduce_mean(tf.nn.relu(features - self.moving_mean), [1, 2])


@pytest.fixture
def handle(tmp_path, monkeypatch):
    """The folder of a SavedModel."""
    monkeypatch.setenv("HUBCLS_HOME", str(tmp_path / "home"))
    module = TinyModel()
    for training in (True, False):
        images = tf.TensorSpec([None, SIZE, SIZE, 3])
        module.__call__.get_concrete_function(images, training=training)
    folder = tmp_path / "saved_model"
    tf.saved_model.save(module, str(folder))
    return str(folder)


@pytest.fixture
def config(tmp_path):
    strategy = hubcls.DefaultStrategy(learning_rate=0.01)
    return hubcls.RunConfig(
        checkpoint_dir=tmp_path / "ckpt", num_epoch=1, batch_size=8, strategy=strategy
    )


def values(layer):
    return {weight.path: weight.numpy().copy() for weight in layer.weights}


def changed(layer, before):
    now = values(layer)
    return {path for path, value in before.items() if np.any(now[path] != value)}


def test_the_best_model_predicts_the_same_when_the_saved_model_is_gone(
    handle, dataset, config, tmp_path, monkeypatch
):
    images = list(np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), dtype=np.uint8))
    module = hubcls.Module(handle=handle, input_size=SIZE)
    task = hubcls.ImageClassifierTask(module=module, dataset=dataset, config=config)
    before = values(task.classifier.get_layer("saved_model"))
    task.finetune()
    trained = changed(task.classifier.get_layer("saved_model"), before)
    expected = task.predict(images, top_k=3)
    shutil.rmtree(handle)
    monkeypatch.setenv("HUBCLS_HOME", str(tmp_path / "another_home"))

    found = hubcls.load(config.folder).predict(images, top_k=3)

    assert trained == {"saved_model/kernel", "saved_model/moving_mean"}
    assert found == expected


def test_a_frozen_context_leaves_the_saved_models_variables(handle, dataset, config):
    module = hubcls.Module(handle=handle, input_size=SIZE)
    inputs, outputs, _ = module.context(trainable=False)
    task = hubcls.ImageClassifierTask(
        feature=outputs["feature_map"],
        feed_list=[inputs["image"].name],
        dataset=dataset,
        config=config,
    )
    body, head = task.classifier.get_layer("saved_model"), task.classifier.get_layer("logits")
    body_before, head_before = values(body), values(head)

    task.finetune()

    assert changed(body, body_before) == set()
    assert changed(head, head_before) == set(head_before)
    assert len(body_before) == 2
