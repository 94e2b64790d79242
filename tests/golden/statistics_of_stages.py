"""Finding a network's sub-modules, and boiling their outputs down to two numbers."""

import numpy as np


def sub_modules(modules, stages):
    """The named ones of all sub-modules.

    Raises:
        ValueError: a name is wrong; lists some that would be right.
    """
    unknown = [stage for stage in stages if stage not in modules]
    if unknown:
        some = " ".join(name for name in modules if name and name.count(".") < 2)
        raise ValueError(f"no sub-modules are called {unknown}; some that exist: {some}")
    return {stage: modules[stage] for stage in stages}


def flatten(output):
    """The tensors of a layer's output, which may nest lists, tuples and dictionaries."""
    if isinstance(output, dict):
        output = list(output.values())
    if not isinstance(output, (list, tuple)):
        return [output]
    return [tensor for part in output for tensor in flatten(part)]


def statistics(arrays):
    """Mean and standard deviation over all elements of some arrays together."""
    flat = np.concatenate([np.asarray(array, np.float64).ravel() for array in arrays])
    return flat.mean(), flat.std()
