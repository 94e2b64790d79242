"""Settings of a run that change its steps: accumulation, frozen groups, loss scale."""

import keras
import numpy as np
import pytest

import hubcls
from hubcls.errors import ConfigError
from hubcls.strategies import ScheduledStrategy


def weights_of(task):
    return [np.array(weight) for weight in task.classifier.trainable_weights]


def sgd():
    # No BatchNorm trains, so that halves of a batch have the gradient of the whole.
    return ScheduledStrategy(0.05, "sgd", "constant", clip={"GlobalNorm": 0.5}, batch_norm="frozen")


def test_two_halves_of_a_batch_make_the_update_of_the_whole(make_task, tmp_path):
    whole = make_task(strategy=sgd(), batch_size=16, num_epoch=1)
    halves = make_task(
        strategy=sgd(),
        batch_size=8,
        num_epoch=1,
        gradient_accumulation=2,
        checkpoint_dir=tmp_path / "halves",
    )

    whole.finetune()
    halves.finetune()

    assert halves.progress.total_steps == 2 * whole.progress.total_steps
    for one, other in zip(weights_of(whole), weights_of(halves), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_accumulation_of_another_optimizer_on_several_devices_is_refused():
    optimizer = keras.optimizers.SGD(gradient_accumulation_steps=2)

    with pytest.raises(ConfigError, match=r"RunConfig\(gradient_accumulation"):
        hubcls.strategies.optimizers.check_for_replicas(optimizer)


def test_frozen_groups_keep_their_weights_and_the_others_train(make_task):
    task = make_task(num_epoch=1, freeze=["stem"])
    groups = {group.name: group.layers for group in task.ingredients.groups}
    layers = {name: [task.classifier.get_layer(one) for one in groups[name]] for name in groups}
    before = {
        name: [np.array(w) for layer in layers[name] for w in layer.weights] for name in groups
    }

    task.finetune()

    changed = {
        name: any(
            not np.array_equal(old, np.array(new))
            for old, new in zip(
                before[name], (w for layer in layers[name] for w in layer.weights), strict=True
            )
        )
        for name in groups
    }
    assert not changed.pop("stem")
    assert any(changed.values())


def test_a_group_that_is_not_there_is_an_error_with_those_that_are(make_task):
    with pytest.raises(ConfigError, match="roots; there are stem"):
        make_task(freeze=["roots"]).finetune()


@pytest.mark.parametrize(
    "settings",
    [{"freeze": "stem"}, {"gradient_accumulation": 0}, {"loss_scale": -1}, {"loss": "hinge"}],
)
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        hubcls.RunConfig(**settings)


def test_a_loss_scale_that_stays_leads_where_the_dynamic_one_does(make_task, tmp_path):
    half = {"num_epoch": 1, "mixed_precision": "mixed_float16"}
    task = make_task(**half, loss_scale=128)
    dynamic = make_task(**half, checkpoint_dir=tmp_path / "dynamic")

    assert task.classifier.optimizer.loss_scale_factor == 128.0
    task.finetune()
    dynamic.finetune()

    for one, other in zip(weights_of(task), weights_of(dynamic), strict=True):
        np.testing.assert_allclose(one, other, atol=0.02)
