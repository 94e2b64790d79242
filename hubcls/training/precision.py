"""In which precision a run computes: what it says, what it began with, or what is faster here."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf

from hubcls.home import cache_home
from hubcls.logs import logger
from hubcls.training.run_config import RunConfig
from hubcls.training.work import Work, covered_share, work_of
from hubcls.writing import write_file

# Compute capability from which NVIDIA's tensor cores take float16, and bfloat16.
_TENSOR_CORES = (7, 0)
_BFLOAT16_CORES = (8, 0)
# What Linux calls a CPU's bfloat16 matrices. AVX512's bfloat16 alone (avx512_bf16) made
# training slower, not faster (EfficientNet-Lite0 and ResNet-50, TensorFlow 2.21).
_BFLOAT16_FLAG = "amx_bf16"
# A gain that pays for the digits which a mixed policy costs.
_LEAST_GAIN = 1.15
# Multiply-adds an image; a smaller network is trained sooner than measured.
_LEAST_WORK = 1e8
# Of a network's weights; what is seen of one with fewer says little of the rest.
_LEAST_SHARE = 0.5
_MOST_SECONDS = 4.0
_IMAGES_ON_CPU = 4


def dtype_policy(config: RunConfig, network: keras.Model, kept: str | None = None) -> str:
    """The Keras dtype policy that a run computes in; weights stay float32.

    `mixed_precision="auto"` goes on as the run in the folder began. A new run takes a mixed
    policy where the device has arithmetic for it (NVIDIA's tensor cores, bfloat16 in a CPU) and
    computes the network's own convolutions and matrix products at least 1.15 times as fast in
    it. That is measured once, in seconds, and kept under `~/.hubcls/cache`; one log line says
    the result. Where nothing trains it takes float32.

    Args:
        config: of the run.
        network: functional, with a fixed size of image.
        kept: the policy of the run that is found in the folder.
    """
    if config.mixed_precision != "auto":
        return config.mixed_precision
    if kept is not None:
        return kept
    if config.num_epoch == 0:  # nothing trains, and the probe's features keep their digits
        return "float32"
    candidate, device = _candidate(use_gpu=config.use_cuda)
    if candidate == "float32":
        return candidate
    is_cpu = device.startswith("CPU")
    work = work_of(network)
    multiply_adds = sum(one.multiply_adds * count for one, count in work.items())
    if multiply_adds < _LEAST_WORK or covered_share(network) < _LEAST_SHARE:
        # What is small, or hardly seen, is not measured: the device's kind decides.
        return "float32" if is_cpu else candidate
    gain = _kept_gain(work, candidate, device, _IMAGES_ON_CPU if is_cpu else config.batch_size)
    chosen = candidate if gain >= _LEAST_GAIN else "float32"
    logger.info(
        "mixed_precision='auto' takes %s: this network's convolutions and matrix products are "
        "%.2f times as fast in %s on this %s",
        chosen,
        gain,
        candidate,
        device,
    )
    return chosen


def measured_gain(work: Counter[Work], candidate: str, batch_size: int) -> float:
    """How many times as fast as in float32 a network's work is in a mixed policy.

    Of each kind (convolutions, depthwise ones, …) the shapes with most multiply-adds are
    measured first, kinds in turn, until four seconds are over; one of each kind is measured
    in any case. The rest is taken to last, for its multiply-adds, as its kind does: what
    gains least, depthwise convolutions, has the fewest.

    Args:
        work: shapes, and how often each occurs.
        candidate: "mixed_float16" or "mixed_bfloat16".
        batch_size: images at once.
    """
    mixed = tf.as_dtype(candidate.removeprefix("mixed_"))
    all_of, seen_of, full, half = (defaultdict[type, float](float) for _ in range(4))
    began = time.perf_counter()
    for one, count in _kinds_in_turn(work):
        kind, multiply_adds = type(one), one.multiply_adds * count
        all_of[kind] += multiply_adds
        if kind in seen_of and time.perf_counter() - began > _MOST_SECONDS:
            continue
        seen_of[kind] += multiply_adds
        full[kind] += count * one.seconds(batch_size, tf.float32)
        half[kind] += count * one.seconds(batch_size, mixed)
    shares = {kind: all_of[kind] / seen_of[kind] for kind in all_of}
    return sum(full[kind] * shares[kind] for kind in shares) / sum(
        half[kind] * shares[kind] for kind in shares
    )


def _kinds_in_turn(work: Counter[Work]) -> Iterator[tuple[Work, int]]:
    """Of each kind the shape with most multiply-adds, then of each the second, and so on."""
    kinds: dict[type, list[tuple[Work, int]]] = {}
    for one, count in sorted(work.items(), key=lambda item: -item[0].multiply_adds * item[1]):
        kinds.setdefault(type(one), []).append((one, count))
    for turn in itertools.zip_longest(*kinds.values()):
        yield from (item for item in turn if item is not None)


def _kept_gain(work: Counter[Work], candidate: str, device: str, batch_size: int) -> float:
    shapes = sorted((repr(one), count) for one, count in work.items())
    digest = hashlib.sha256(repr(shapes).encode()).hexdigest()[:16]
    key = f"{device} | TensorFlow {tf.__version__} | {candidate} | batch {batch_size} | {digest}"
    path = cache_home() / "precision.json"
    gains = _read(path)
    if key not in gains:
        gains[key] = round(measured_gain(work, candidate, batch_size), 3)
        # A home that cannot be written to costs these seconds again, not the run.
        with contextlib.suppress(OSError):
            write_file(path, json.dumps(gains, indent=1, sort_keys=True))
    return gains[key]


def _read(path: Path) -> dict[str, float]:
    try:
        gains: dict[str, float] = json.loads(path.read_text())
    except (OSError, ValueError):  # none yet, or damaged: it can be measured again
        return {}
    return gains


def _candidate(*, use_gpu: bool) -> tuple[str, str]:
    """The mixed policy that the weakest device has arithmetic for, or float32; its name."""
    gpus = tf.config.list_physical_devices("GPU") if use_gpu else []
    if not gpus:
        name, flags = _cpu()
        return "mixed_bfloat16" if _BFLOAT16_FLAG in flags else "float32", f"CPU ({name})"
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    weakest = min(details, key=lambda each: each.get("compute_capability", (0, 0)))
    capability, name = weakest.get("compute_capability", (0, 0)), weakest.get("device_name", "")
    if capability >= _BFLOAT16_CORES:
        return "mixed_bfloat16", f"GPU ({name})"
    return "mixed_float16" if capability >= _TENSOR_CORES else "float32", f"GPU ({name})"


@functools.cache
def _cpu() -> tuple[str, frozenset[str]]:
    """Model and features as Linux tells them; nothing elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return "unknown", frozenset()
    facts = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)
    }
    model = " ".join(
        facts.get(key, "") for key in ("model name", "cpu family", "model", "stepping")
    )
    return model, frozenset(facts.get("flags", "").split())
