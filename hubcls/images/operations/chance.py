"""Random numbers for a whole batch, each image's from a seed of its own.

`tf.random.stateless_uniform` takes one seed a call, so a batch would take a call an image.
SplitMix64 is a handful of integer operations that run on all images at once: Steele, Lea
and Flood 2014, "Fast splittable pseudorandom number generators", figures 16 and 17.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def uniform(seeds: tf.Tensor, count: int) -> tf.Tensor:
    """Numbers in [0, 1) that depend on their row's seed alone, float32 [B, count].

    Args:
        seeds: int [B, 2].
        count: numbers for each image.
    """
    # float32 has room for 24 bits; more would round up to 1.
    top = tf.bitwise.right_shift(_numbers(seeds, count), tf.constant(40, tf.uint64))
    return tf.cast(top, tf.float32) * 2.0**-24


def random_bytes(seeds: tf.Tensor, count: int) -> tf.Tensor:
    """Bytes that depend on their row's seed alone, uint8 [B, count].

    Args:
        seeds: int [B, 2].
        count: bytes for each image.
    """
    octets = tf.bitcast(_numbers(seeds, -(-count // 8)), tf.uint8)
    return tf.reshape(octets, [-1, -(-count // 8) * 8])[:, :count]


def folded(seeds: tf.Tensor, number: int | tf.Tensor) -> tf.Tensor:
    """Other seeds, independent of those given and of those of every other number.

    Args:
        seeds: int [B, 2].
        number: from 0, for all images or for each, int [B].

    Returns:
        int64 [B, 2].
    """
    salt = _mixed(tf.cast(number, tf.uint64) + _GOLDEN)
    first, second = tf.unstack(tf.cast(seeds, tf.uint64), axis=1)
    return tf.bitcast(tf.stack([_mixed(first + salt), second], axis=1), tf.int64)


def _numbers(seeds: tf.Tensor, count: int) -> tf.Tensor:
    """uint64 [B, count], every bit random."""
    first, second = tf.unstack(tf.cast(seeds, tf.uint64), axis=1)
    key = _mixed(_mixed(first + _GOLDEN) + second)
    steps = tf.constant(np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN)
    return _mixed(key[:, tf.newaxis] + steps)


def _mixed(numbers: tf.Tensor) -> tf.Tensor:
    """SplitMix64's finalizer: each bit of a number changes half of the bits of the result."""
    numbers = _shifted_in(numbers, 30) * _FIRST
    numbers = _shifted_in(numbers, 27) * _SECOND
    return _shifted_in(numbers, 31)


def _shifted_in(numbers: tf.Tensor, bits: int) -> tf.Tensor:
    shifted = tf.bitwise.right_shift(numbers, tf.constant(bits, tf.uint64))
    return tf.bitwise.bitwise_xor(numbers, shifted)
