"""What the makers of golden files and the tests that read them have in common.

Only NumPy functions whose results are frozen for good: `RandomState`, not `Generator`.
"""

import hashlib

import numpy as np


def centre_crop(image, height, width):
    """The middle of an image, pixel for pixel: no resampling that a library could change."""
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def sha256(array):
    """The hash of an array's bytes."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def seeded_weight(key, shape):
    """A weight that depends on its key alone, of a size that keeps activations in range."""
    seed = int.from_bytes(hashlib.sha256(key.encode("utf-8")).digest()[:4], "little")
    chance = np.random.RandomState(seed)
    if key.endswith("running_var") or (len(shape) == 1 and key.endswith("weight")):
        return chance.uniform(0.5, 1.5, shape).astype(np.float32)
    if len(shape) == 1:
        return (0.1 * chance.standard_normal(shape)).astype(np.float32)
    # Any larger, and a deep network amplifies float32's rounding beyond comparison.
    scale = 1 / np.sqrt(np.prod(shape[1:]))
    return (scale * chance.standard_normal(shape)).astype(np.float32)


def summary(logits):
    """A thousand logits as the twenty highest, and 32 random ± sums of all of them."""
    logits = np.asarray(logits, np.float64)
    signs = np.random.RandomState(0).choice([-1.0, 1.0], (32, logits.size))
    top = np.argsort(-logits, kind="stable")[:20]
    return {
        "std": float(logits.std()),
        "top": [[int(place), float(logits[place])] for place in top],
        "projection": [float(value) for value in signs @ logits / np.sqrt(logits.size)],
    }


def keys_sha256(shapes):
    """One hash of a checkpoint's keys and shapes, whatever their order."""
    lines = sorted(f"{key} {tuple(shape)}" for key, shape in shapes.items())
    return hashlib.sha256("\n".join(lines).encode("utf-8")).hexdigest()


def relative_difference(logits, golden):
    """The largest difference between logits and their golden summary, in units of their spread."""
    found = summary(logits)
    logits = np.asarray(logits, np.float64)
    differences = [abs(logits[place] - value) for place, value in golden["top"]]
    pairs = zip(found["projection"], golden["projection"], strict=True)
    differences += [abs(value - wanted) for value, wanted in pairs]
    return max(differences) / golden["std"]
