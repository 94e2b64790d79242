"""Listening to a network's stages, and boiling what passes there down to two numbers."""

import re
from dataclasses import dataclass

import numpy as np

_PLACE = re.compile(r"(<?)([^<:]+)(?::(\d+))?")


class Recorder:
    """What passed at the stages of a case, while its network ran.

    A stage is the name of one place or a list of some, whose tensors count together. What
    names mean says README.md.
    """

    def __init__(self, stages, modules, *, behind):
        """Listen.

        Args:
            stages: of a case.
            modules: the network's sub-modules by name.
            behind: the library's name for the method by which a function learns of outputs.

        Raises:
            ValueError: a name is wrong; lists some that would be right.
        """
        names = [[stage] if isinstance(stage, str) else stage for stage in stages]
        self._stages = [[_place(name) for name in some] for some in names]
        self._calls = {place: [] for places in self._stages for place in places}
        unknown = [place.module for place in self._calls if place.module not in modules]
        if unknown:
            some = " ".join(name for name in modules if name and name.count(".") < 2)
            raise ValueError(f"no sub-modules are called {unknown}; some that exist: {some}")
        for place, calls in self._calls.items():
            method = "register_forward_pre_hook" if place.is_input else behind
            getattr(modules[place.module], method)(_listener(calls))

    def forget(self):
        """Start anew."""
        for calls in self._calls.values():
            calls.clear()

    def statistics(self):
        """Mean and standard deviation of each stage's tensors, float64 [stages, 2].

        Raises:
            LookupError: it is not certain which tensors a stage means.
        """
        found = {place: place.chosen(calls) for place, calls in self._calls.items()}
        wrong = {
            place.module: [len(call) for call in self._calls[place]]
            for place, tensors in found.items()
            if not tensors
        }
        if wrong:
            raise LookupError(
                "stages must run exactly once, or name the number of a tensor; these ran so "
                f"often, with so many tensors each: {wrong}"
            )
        return np.array(
            [_statistics([x for place in places for x in found[place]]) for places in self._stages]
        )


@dataclass(frozen=True)
class _Place:
    """What a sub-module takes or gives: all tensors of its only call, or one by its number."""

    module: str
    is_input: bool
    number: int | None

    def chosen(self, calls):
        """Those of the calls' tensors that are meant, none where that is not certain."""
        tensors = [tensor for call in calls for tensor in call]
        if self.number is None:
            return tensors if len(calls) == 1 else []
        return tensors[self.number : self.number + 1]


def flatten(output):
    """The tensors of a layer's output, which may nest lists, tuples and dictionaries."""
    if isinstance(output, dict):
        output = list(output.values())
    if not isinstance(output, (list, tuple)):
        return [output]
    return [tensor for part in output for tensor in flatten(part)]


def _place(name):
    found = _PLACE.fullmatch(name)
    if not found:
        raise ValueError(f"a stage's name must be NAME, <NAME, NAME:0 or <NAME:0, not {name!r}")
    side, module, number = found.groups()
    return _Place(module, is_input=side == "<", number=None if number is None else int(number))


def _listener(calls):
    """A function that copies what passes, for the network may overwrite it."""

    def listen(_module, *passing):
        # Inputs alone in front of the module, inputs and outputs behind it.
        calls.append([np.array(tensor.numpy(), np.float64) for tensor in flatten(passing[-1])])

    return listen


def _statistics(arrays):
    flat = np.concatenate([array.ravel() for array in arrays])
    return flat.mean(), flat.std()
