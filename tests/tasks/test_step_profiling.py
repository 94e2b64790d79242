"""The steps that a profile times are those of the run's first epoch."""

import pytest

from hubcls.tasks import step_profiling
from hubcls.tasks.step_profiling import profile_task


@pytest.fixture
def timed(monkeypatch):
    """Parts of networks whose steps were timed."""
    parts = []
    profile_steps = step_profiling.profile_steps

    def noted(part, **options):
        parts.append(part)
        return profile_steps(part, **options)

    monkeypatch.setattr(step_profiling, "profile_steps", noted)
    return parts


def test_steps_on_features_are_timed_where_the_body_is_frozen(make_task, timed):
    task = make_task(freeze=["stem", "stage_1", "stage_2"])

    profile = profile_task(task, num_steps=1)

    [part] = timed
    features, _ = part.stream.batches(0, 1).element_spec
    assert features.shape == (8, 16)
    assert part.model.input.shape[1:] == (16,)
    assert profile.route == "from features of head_pool"


def test_steps_through_all_layers_are_timed_where_all_are_open(make_task, timed):
    profile = profile_task(make_task(), num_steps=1)

    [part] = timed
    images, _ = part.stream.batches(0, 1).element_spec
    assert images.shape == (8, 16, 16, 3)
    assert part.model is part.classifier
    assert profile.route == "through all layers"


def test_features_that_cannot_be_kept_are_said_to_be_computed_anew(make_task, monkeypatch):
    monkeypatch.setenv("HUBCLS_CACHE_GB", "1e-9")

    profile = profile_task(make_task(freeze=["stem", "stage_1", "stage_2"]), num_steps=1)

    assert profile.route == "through all layers, for features of head_pool cannot be kept"
