"""A run whose features another runtime computed, against the run without features."""

import numpy as np
import pytest

import hubcls
from hubcls.inference import choosing
from hubcls.inference.openvino_runtime import OpenVINOGraph
from hubcls.inference.tensorflow_runtimes import FrozenGraph
from hubcls.strategies import ScheduledStrategy


@pytest.fixture
def images_computed(monkeypatch):
    """A function: how many images a runtime computes from now on, growing."""

    def watch(runtime):
        counts = []
        begin = runtime.begin

        def counted(self, images):
            counts.append(len(images))
            return begin(self, images)

        monkeypatch.setattr(runtime, "begin", counted)
        return counts

    return watch


def weights_of_run(folder, data, **settings):
    module = hubcls.Module("efficientnet_lite0_imagenet", input_size=64)
    config = hubcls.RunConfig(
        checkpoint_dir=folder,
        num_epoch=2,
        freeze=tuple(group.name for group in module.layer_groups),
        strategy=ScheduledStrategy(0.05, "sgd", "constant", batch_norm="frozen"),
        **settings,
    )
    task = hubcls.ImageClassifierTask(module=module, dataset=data, config=config)
    task.finetune_and_eval()
    return task.classifier.get_weights()


@pytest.fixture(scope="module")
def data(dataset_of):
    """More training images than make a graph worth compiling."""
    return dataset_of(320)


@pytest.fixture(scope="module")
def plain_weights(data, tmp_path_factory):
    """Of a run that keeps no features."""
    return weights_of_run(tmp_path_factory.mktemp("plain"), data, cached_views=0)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", [FrozenGraph, OpenVINOGraph])
def test_a_run_from_many_features_is_the_run_without(
    runtime, images_computed, data, plain_weights, tmp_path, monkeypatch
):
    if runtime is OpenVINOGraph:
        pytest.importorskip("openvino")
    monkeypatch.setattr(choosing, "has_openvino", lambda: runtime is OpenVINOGraph)
    computed = images_computed(runtime)

    weights = weights_of_run(tmp_path, data)

    assert sum(computed) >= len(data.split("train"))
    for one, other in zip(weights, plain_weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
