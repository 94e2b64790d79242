"""Weights of several publishers: fetched over HTTP, told apart, or missed with advice."""

import dataclasses
import functools
import http.server
import threading

import keras
import numpy as np
import pytest
import safetensors.numpy

import hubcls
from hubcls.errors import ConfigError, DownloadError, OfflineError
from hubcls.modules import finding
from hubcls.modules.spec import InputRule, WeightSource
from hubcls.weights import leaves_of

LITE = "efficientnet_lite0_imagenet"
IMAGE = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)


@pytest.fixture
def small(monkeypatch, tmp_path, server):
    """EfficientNet-Lite of few channels with two publishers on this machine's server."""
    monkeypatch.setenv("HUBCLS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HUBCLS_OFFLINE", "0")
    monkeypatch.setattr("hubcls.downloads.fetching._FIRST_WAIT_SECONDS", 0.0)
    known = finding.spec(LITE)
    few = dataclasses.replace(
        known, parameters={**known.parameters, "width": 0.25, "depth": 0.1}, licence="MIT"
    )
    variants = [
        dataclasses.replace(
            few,
            weights=WeightSource(
                "safetensors", name, file=f"{name}.safetensors", urls=(server.url(name),)
            ),
            preprocessing=InputRule(mean=(mean,) * 3, std=(0.5,) * 3).sized(40, 40),
        )
        for name, mean in (("first", 0.5), ("second", 0.25))
    ]
    spec = dataclasses.replace(variants[0], variants=tuple(variants))
    monkeypatch.setattr(finding, "spec", lambda name: spec)
    return spec


class Server(http.server.ThreadingHTTPServer):
    """Serves the files of a folder."""

    def url(self, publisher):
        return f"http://127.0.0.1:{self.server_port}/{publisher}.safetensors"


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "served").mkdir()
    handler = functools.partial(Quiet, directory=tmp_path / "served")
    with Server(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Nothing: the log is not what is tested."""


def checkpoint(path, seed, num_classes=1000):
    """Drawn weights of the small network under timm's names, in PyTorch's layouts."""
    chance = np.random.default_rng(seed)
    backbone = hubcls.Module(LITE, weights=None).backbone
    features = keras.Input(backbone.output.shape[1:])
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    head = keras.Model(features, keras.layers.Dense(num_classes, name="classifier")(pooled))
    arrays = {}
    for layer in (*backbone.layers, *head.layers):
        for weight, (leaf, _) in zip(layer.weights, leaves_of("torch")(layer), strict=True):
            axes = {1: (0,), 2: (1, 0), 4: (2, 3, 0, 1) if "_dw" in layer.name else (3, 2, 0, 1)}
            shape = [weight.shape[axis] for axis in axes[len(weight.shape)]]
            arrays[layer.name + leaf] = chance.uniform(0.1, 1, shape).astype(np.float32)
    safetensors.numpy.save_file(arrays, path)
    return path


def bias_of(module):
    return np.asarray(module.backbone.get_layer("bn2").beta)


def test_weights_are_fetched_once_and_by_their_publishers_name(small, tmp_path, monkeypatch):
    for seed, publisher in enumerate(small.publishers):
        checkpoint(tmp_path / "served" / f"{publisher}.safetensors", seed)

    preferred, second = hubcls.Module(LITE), hubcls.Module(LITE, weights="second")
    biases = bias_of(preferred), bias_of(second)
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")
    again = hubcls.Module(LITE, weights="first")

    assert not np.array_equal(*biases)
    np.testing.assert_array_equal(bias_of(again), biases[0])
    assert preferred.preprocessing.mean == (0.5, 0.5, 0.5)
    assert second.preprocessing.mean == (0.25, 0.25, 0.25)


def test_a_file_that_has_changed_since_it_was_first_seen_is_refused(small, tmp_path):
    served = tmp_path / "served" / "first.safetensors"
    checkpoint(served, seed=0)
    assert hubcls.Module(LITE).backbone
    [fetched] = (tmp_path / "home").rglob("first.safetensors")
    fetched.unlink()
    checkpoint(served, seed=1)

    with pytest.raises(DownloadError, match="sha256"):
        assert hubcls.Module(LITE).backbone


def test_a_publisher_that_does_not_answer_is_not_replaced_in_silence(small, tmp_path):
    checkpoint(tmp_path / "served" / "second.safetensors", seed=0)

    with pytest.raises(DownloadError) as caught:
        assert hubcls.Module(LITE).backbone

    assert "weights='second' takes other published ones" in str(caught.value)
    assert "weights=None" in str(caught.value)


def test_offline_nothing_is_fetched(small, monkeypatch):
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")

    with pytest.raises(OfflineError, match="efficientnet_lite0_imagenet brings its weights"):
        assert hubcls.Module(LITE).backbone


def test_an_unknown_publisher_lists_the_known_ones(small):
    with pytest.raises(ConfigError, match='"imagenet", "first", "second", None'):
        hubcls.Module(LITE, weights="third")


def test_a_file_of_ones_own_brings_its_classifier(small, tmp_path):
    path = checkpoint(tmp_path / "mine.safetensors", seed=0, num_classes=7)

    module = hubcls.Module(LITE, weights=path)
    [answer] = module.classify(IMAGE, top_k=7)

    assert sorted(name for name, _ in answer) == list("0123456")
    assert sum(share for _, share in answer) == pytest.approx(1, abs=1e-5)


def test_a_rule_replaces_what_the_catalogue_says_of_a_file(small, tmp_path):
    path = checkpoint(tmp_path / "mine.safetensors", seed=0)
    rule = InputRule(mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0))

    module = hubcls.Module(LITE, weights=path, rule=rule)

    assert module.preprocessing == rule.sized(40, 40)
    with pytest.raises(ConfigError, match="a file of weights"):
        hubcls.Module(LITE, rule=rule)


def test_stages_give_their_maps_in_order(small):
    module = hubcls.Module(LITE, weights=None)

    sides = [module.features(IMAGE, stage=k).shape[1] for k in range(len(module.layer_groups))]

    assert sides == [20, 10, 5, 3, 2]
    np.testing.assert_allclose(
        module.features(IMAGE, stage=4).mean(axis=(1, 2)), module.features(IMAGE), atol=1e-6
    )
    with pytest.raises(ConfigError, match="stages 0 to 4, not 5"):
        module.features(IMAGE, stage=5)
