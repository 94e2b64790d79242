"""What a recipe's stages mean."""

import numpy as np
import pytest
from statistics_of_stages import Recorder


class Tensor:
    """Numbers, handed over as torch and Paddle do."""

    def __init__(self, *values):
        self.values = np.array(values, np.float64)

    def numpy(self):
        return self.values


class Halves:
    """A layer that gives its input's two halves and zeroes the input."""

    def __init__(self):
        self._before, self._behind = [], []
        self.register_forward_pre_hook = self._before.append
        self.register_forward_hook = self._behind.append

    def __call__(self, tensor):
        for listen in self._before:
            listen(self, (tensor,))
        output = [Tensor(*half) for half in np.split(tensor.values, 2)]
        tensor.values[:] = 0
        for listen in self._behind:
            listen(self, (tensor,), output)


@pytest.fixture
def layers():
    return {"first": Halves(), "second.part": Halves()}


def recorder(layers, *stages):
    return Recorder(stages, layers, behind="register_forward_hook")


@pytest.mark.parametrize(
    ("stage", "values"),
    [
        ("first", [1, 3, 5, 9]),
        ("first:0", [1, 3]),
        ("first:1", [5, 9]),
        ("<first", [1, 3, 5, 9]),
        ("<second.part:1", [40, 80]),
        ("second.part:2", [40]),
        (["first:1", "<second.part:0"], [5, 9, 10, 20]),
    ],
)
def test_a_stage_is_what_its_name_says(layers, stage, values):
    recorded = recorder(layers, stage)

    layers["first"](Tensor(1, 3, 5, 9))
    layers["second.part"](Tensor(10, 20))
    layers["second.part"](Tensor(40, 80))

    np.testing.assert_allclose(recorded.statistics(), [(np.mean(values), np.std(values))])


def test_only_what_passed_last_counts(layers):
    recorded = recorder(layers, "first")
    layers["first"](Tensor(1, 3))

    recorded.forget()
    layers["first"](Tensor(6, 8))

    np.testing.assert_allclose(recorded.statistics(), [(7, 1)])


@pytest.mark.parametrize("stage", ["first", "<first", "first:4", "<first:2", "second.part"])
def test_an_uncertain_stage_is_refused(layers, stage):
    recorded = recorder(layers, stage)
    layers["first"](Tensor(1, 3))
    layers["first"](Tensor(1, 3))

    with pytest.raises(LookupError, match="must run exactly once"):
        recorded.statistics()


def test_a_wrong_name_is_refused(layers):
    with pytest.raises(ValueError, match=r"no sub-modules .*'third'.* second\.part"):
        recorder(layers, "third")
    with pytest.raises(ValueError, match="must be NAME, <NAME"):
        recorder(layers, "first:x")
