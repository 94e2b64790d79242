"""What the makers of golden files and the tests that read them have in common.

Only NumPy functions whose results are frozen for good: `RandomState` and the raw bits of
a bit generator, not `Generator`.
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


# Uniform numbers between minus and plus this have standard deviation 1.
_UNIT = np.sqrt(3)
_CHUNK = 1 << 16  # numbers that stay in the processor's cache
_STATISTICS = ("running_mean", "running_var", "_mean", "_variance")
_VARIANCES = ("running_var", "_variance")
_SCALES = ("weight", "scale", "gamma")


def is_drawn(key, *, is_parameter):
    """Whether a recipe replaces a tensor: parameters and BatchNorm's statistics, no tables."""
    return is_parameter or key.endswith(_STATISTICS)


def drawn_weight(key, shape, *, gain=1.0, is_paddle=False):
    """A weight that depends on its key and shape alone, in a range that real ones have.

    Args:
        key: its name in the checkpoint, which seeds it.
        shape: in the checkpoint's order: [outputs, inputs, ...], [inputs, outputs] for
            a dense layer of Paddle.
        gain: factor on tensors of two and more axes, for networks that fade or explode.
        is_paddle: whether a tensor of two axes is a dense layer of Paddle.

    Returns:
        float32, uniform: BatchNorm's variances and the scales of all normalisations in
        0.5–1.5; other vectors of mean 0 and standard deviation 0.1; all else of mean 0
        and standard deviation gain / sqrt(inputs).
    """
    seed = int.from_bytes(hashlib.sha256(key.encode("utf-8")).digest(), "little")
    if key.endswith(_VARIANCES) or (len(shape) <= 1 and key.endswith(_SCALES)):
        return _uniform(seed, shape, 0.5) + np.float32(1)
    if len(shape) <= 1 or _is_table(key, shape):
        return _uniform(seed, shape, 0.1 * _UNIT)
    inputs = shape[0] if is_paddle and len(shape) == 2 else np.prod(shape[1:])
    return _uniform(seed, shape, gain * _UNIT / np.sqrt(inputs))


def drawn_image(height, width):
    """uint8 [height, width, 3]: smooth blotches of colour with noise, the same everywhere.

    Whole-number arithmetic on raw bits only, so that no library's version changes a pixel.
    """
    cells = 5
    coarse = _raw(np.random.SFC64(1), cells * cells * 3).reshape(cells, cells, 3).astype(np.int64)
    noise = _raw(np.random.SFC64(2), height * width * 3).reshape(height, width, 3).astype(np.int64)
    smooth = _stretch(_stretch(coarse, height).transpose(1, 0, 2), width).transpose(1, 0, 2)
    return ((3 * smooth + noise) // 4).astype(np.uint8)


def _uniform(seed, shape, limit):
    """float32, 65,536 equally likely values between minus and plus the limit, mean 0."""
    bits = np.random.SFC64(seed)
    numbers = np.empty(int(np.prod(shape)), np.float32)
    for start in range(0, len(numbers), _CHUNK):
        part = numbers[start : start + _CHUNK]
        np.add(_raw(bits, part.size * 2).view("<i2"), np.float32(0.5), out=part)
        part *= np.float32(limit / 32768)
    return numbers.reshape(shape)


def _raw(bits, size_bytes):
    """Raw bytes: NumPy promises these for all versions, unlike what is made of them."""
    return (
        bits.random_raw(-(-size_bytes // 8)).astype("<u8", copy=False).view(np.uint8)[:size_bytes]
    )


def _is_table(key, shape):
    """Whether a tensor is added to tokens, as positions and class tokens are."""
    return len(shape) > 2 and shape[0] == 1 and not key.endswith("weight")


def _stretch(grid, length):
    """int [length, ...]: the rows of a grid, interpolated linearly between first and last."""
    last = len(grid) - 1
    position = np.arange(length) * last
    below = np.minimum(position // max(length - 1, 1), last - 1)
    share = (position - below * (length - 1)).reshape(-1, 1, 1)
    return (grid[below] * (length - 1 - share) + grid[below + 1] * share) // max(length - 1, 1)
