"""Runs that train above frozen layers from kept features, against runs that do not."""

import numpy as np
import pytest

import hubcls
from hubcls.errors import ConfigError
from hubcls.strategies import ScheduledStrategy


@pytest.fixture
def run(task_in, tmp_path):
    """A finished run in a folder of its own."""

    def finish(name, **settings):
        task = task_in(tmp_path / name, num_epoch=settings.pop("num_epoch", 2), **settings)
        task.finetune_and_eval()
        return task

    return finish


def sgd():
    return ScheduledStrategy(0.05, "sgd", "constant", batch_norm="frozen")


@pytest.mark.parametrize(
    "settings",
    [
        {"freeze": ("stem", "stage_1", "stage_2"), "strategy": sgd(), "dropout": 0.5},
        pytest.param({"freeze": ("stem",), "strategy": sgd()}, marks=pytest.mark.slow),
        pytest.param(
            {"strategy": hubcls.ULMFiTStrategy(learning_rate=0.01), "num_epoch": 3},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"strategy": hubcls.AutoFinetuneStrategy(), "freeze": ("stem", "stage_1")},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["head", "upper", "gradual", "probe"],
)
def test_a_run_from_kept_features_is_the_run_without(settings, run, kept):
    plain = run("plain", cached_views=0, **settings)
    cached = run("cached", **settings)

    assert kept()
    for one, other in zip(cached.classifier.weights, plain.classifier.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-5)
    for one, other in zip(cached.progress.evaluations, plain.progress.evaluations, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-4)


def test_a_second_run_with_another_rate_passes_no_image_again(run, kept):
    frozen = ("stem", "stage_1", "stage_2")
    run("first", freeze=frozen)
    before = kept()

    run("second", freeze=frozen, strategy=hubcls.AutoFinetuneStrategy(1e-3), num_epoch=1)

    assert kept() == before


def test_a_run_whose_features_cannot_be_kept_is_the_same_run(run, kept, monkeypatch):
    settings = {"freeze": ("stem", "stage_1", "stage_2"), "strategy": sgd(), "num_epoch": 1}
    cached = run("cached", **settings)
    before = kept()
    monkeypatch.setenv("HUBCLS_CACHE_GB", "0")

    anew = run("anew", **settings)

    assert kept() == before
    for one, other in zip(anew.classifier.weights, cached.classifier.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-5)


def test_a_run_from_features_goes_on_in_the_middle_of_an_epoch(run, task_in, tmp_path):
    settings = {"freeze": ("stem",), "strategy": sgd(), "num_epoch": 2, "save_ckpt_interval": 2}
    whole = run("whole", **settings)
    stopped = task_in(tmp_path / "parts", **settings)

    def stop(task, states):
        if task.progress.step == 9:
            raise InterruptedError

    stopped.add_hook("run_step_event", "stop", stop)
    with pytest.raises(InterruptedError):
        stopped.finetune_and_eval()
    rest = run("parts", **settings)

    for one, other in zip(whole.classifier.weights, rest.classifier.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    figures = [
        {name: value for name, value in one.progress.history[-1].items() if name != "seconds"}
        for one in (whole, rest)
    ]
    assert figures[0] == figures[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cached_views": 3}, "needs an augmentation"),
        ({"cached_views": -1}, "cached_views must be"),
        ({"cached_views": "all"}, "cached_views must be"),
    ],
)
def test_views_that_cannot_be_are_refused(settings, message, run):
    with pytest.raises(ConfigError, match=message):
        run("wrong", **settings)
