"""RunConfig: how a run is done, as opposed to what is trained on what."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from hubcls.errors import ConfigError
from hubcls.logs import logger
from hubcls.strategies.auto import AutoFinetuneStrategy
from hubcls.strategies.base import FinetuneStrategy

MIXED_PRECISIONS = ("auto", "float32", "mixed_float16", "mixed_bfloat16")
LOSSES = ("cross_entropy", "focal", "asymmetric")
CachedViews: TypeAlias = int | Literal["auto"]
DISTRIBUTIONS = ("auto", "one_device", "mirrored")


@dataclass(frozen=True)
class RunConfig:
    """How a run is done. PaddleHub's fields come first, in PaddleHub's order.

    Attributes:
        log_interval: steps between two log lines.
        eval_interval: steps between two evaluations on the validation split; None
            evaluates at the end of every epoch (PaddleHub: 100).
        use_pyreader: accepted for PaddleHub's scripts; it has no effect.
        use_data_parallel: train on every visible GPU. `distribution` says more.
        save_ckpt_interval: steps between two resumable states; None saves at the end
            of every epoch.
        use_cuda: use a GPU. Without one, the run says so and goes on with the CPU.
        checkpoint_dir: folder of the run; None makes `ckpt_YYYYmmddHHMMSS` here.
        num_epoch: passes over the training split. None leaves the budget to the
            strategy: 1 for PaddleHub's, by data size for AutoFinetuneStrategy. 0 stops
            before the first step, for AutoFinetuneStrategy after its probe.
        batch_size: examples per device and step, as in PaddleHub; the log states the
            global one.
        enable_memory_optim: accepted for PaddleHub's scripts; it has no effect.
        strategy: how the weights are tuned; None is AutoFinetuneStrategy().
        mixed_precision: "auto" measures once where the device has arithmetic for mixed_float16
            or mixed_bfloat16, and takes that if the network gains from it, else float32.
            `hubcls.training.precision.dtype_policy` says how.
        seed: fixes everything that is drawn: split order, augmentation, head, dropout.
        early_stopping: stop after this many evaluations without a better main metric.
        ema: momentum in (0, 1) of a moving average of the weights, which is then what
            is evaluated and kept; None leaves it to the strategy, of which AutoFinetuneStrategy
            averages by itself. It moves with every batch, of several that are accumulated too.
        class_weights: weight of each class in the loss, by name; "balanced" weighs
            inversely to the class's share of the training split. For one class an image.
        loss: "cross_entropy", "focal" (Lin et al. 2017, arXiv:1708.02002) or, where images
            show several classes, "asymmetric" (Ridnik et al. 2021, arXiv:2009.14119).
        label_smoothing: share of the target spread over all classes, in [0, 1)
            (Szegedy et al. 2016, arXiv:1512.00567, section 7).
        freeze: names of the module's layer groups ("stem", "stage2", …) that do not train,
            whatever the strategy says.
        gradient_accumulation: batches whose mean gradient makes one update; updates are so
            many times rarer, and the last batches of a run that make no full update are lost.
        loss_scale: of mixed_float16: "dynamic" looks for the largest that does not overflow;
            a number stays (PaddleClas' scale_loss).
        steps_per_execution: steps that TensorFlow computes in one go, on one device. Hooks of
            `run_step_event` are called once for all of them, and whatever an interval makes
            due, or `max_seconds` ends, waits for the last. An epoch ends where it would.
        max_seconds: end the training cleanly after this long, resumed parts included.
        resume: "auto" goes on with the run found in checkpoint_dir, if there is one;
            True insists on it; False starts over and removes its state.
        distribution: "auto" mirrors over all GPUs when `use_data_parallel` is set and
            there are several; "one_device"; "mirrored" also over several logical CPUs.
        sync_batch_norm: BatchNorm that trains takes its statistics over the batches of all
            devices; False takes each device's own, and the mean of their moving averages.
        cached_views: views of each image that frozen lower layers compute once, ever, and
            keep in the cache folder: the first is the image as evaluation sees it, the others
            are random changes of it; in the frozen part nothing is dropped. 0 shows new
            changes at every step. "auto" is 1 where only the head trains or images are not
            augmented, else 0.
        decoded_cache: decode every training image once, before the first step, and keep it
            under `~/.hubcls/cache/images`, shrunk until the least random crop has as many
            pixels as the input: docs/augmentation.md. HUBCLS_CACHE_GB bounds it.
        memory_limit_mb: what tf.data may plan for buffers of images on their way to a training
            step, in megabytes. A decoder's own picture comes on top, one for each core.
            Evaluation and other passes without training read two batches ahead.
    """

    log_interval: int = 10
    eval_interval: int | None = None
    use_pyreader: bool = True
    use_data_parallel: bool = True
    save_ckpt_interval: int | None = None
    use_cuda: bool = True
    checkpoint_dir: str | Path | None = None
    num_epoch: int | None = None
    batch_size: int = 32
    enable_memory_optim: bool = False
    strategy: FinetuneStrategy | None = None
    _: KW_ONLY
    mixed_precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = "auto"
    seed: int = 0
    early_stopping: int | None = None
    ema: float | None = None
    class_weights: Mapping[str, float] | Literal["balanced"] | None = None
    loss: Literal["cross_entropy", "focal", "asymmetric"] = "cross_entropy"
    label_smoothing: float = 0.0
    freeze: tuple[str, ...] = ()
    gradient_accumulation: int = 1
    loss_scale: float | Literal["dynamic"] = "dynamic"
    steps_per_execution: int = 1
    max_seconds: float | None = None
    resume: bool | Literal["auto"] = "auto"
    distribution: Literal["auto", "one_device", "mirrored"] = "auto"
    sync_batch_norm: bool = True
    cached_views: CachedViews = "auto"
    decoded_cache: bool = False
    memory_limit_mb: int = 1024

    def __post_init__(self) -> None:
        """Check every value and fill in the two that depend on the moment.

        Raises:
            ConfigError: any value is wrong; lists all of them.
        """
        wrong = [*_wrong_numbers(self), *_wrong_choices(self)]
        if wrong:
            raise ConfigError("RunConfig is wrong:\n  " + "\n  ".join(wrong))
        if not self.use_pyreader or self.enable_memory_optim:
            logger.warning("use_pyreader and enable_memory_optim have no effect in hubcls")
        object.__setattr__(self, "freeze", tuple(self.freeze))
        if self.strategy is None:
            object.__setattr__(self, "strategy", AutoFinetuneStrategy())
        folder = self.checkpoint_dir or time.strftime("ckpt_%Y%m%d%H%M%S")
        object.__setattr__(self, "checkpoint_dir", Path(folder))

    @property
    def folder(self) -> Path:
        """`checkpoint_dir` as a path."""
        return Path(str(self.checkpoint_dir))

    @property
    def finetune_strategy(self) -> FinetuneStrategy:
        """`strategy`, never None."""
        if self.strategy is None:
            raise ConfigError("RunConfig has no strategy")
        return self.strategy

    def as_dict(self) -> dict[str, Any]:
        """The values as plain YAML types, the strategy as its own description."""
        values = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "strategy"
        }
        values["checkpoint_dir"] = str(self.checkpoint_dir)
        values["freeze"] = list(self.freeze)
        if isinstance(self.class_weights, Mapping):
            values["class_weights"] = dict(self.class_weights)
        values["strategy"] = self.finetune_strategy.describe()
        return values


def _wrong_numbers(config: RunConfig) -> list[str]:
    wrong = []
    for name, smallest, may_be_none in (
        ("log_interval", 1, False),
        ("batch_size", 1, False),
        ("gradient_accumulation", 1, False),
        ("memory_limit_mb", 1, False),
        ("steps_per_execution", 1, False),
        ("seed", 0, False),
        ("cached_views", 0, False),
        ("num_epoch", 0, True),
        ("eval_interval", 1, True),
        ("save_ckpt_interval", 1, True),
        ("early_stopping", 1, True),
    ):
        value = getattr(config, name)
        if (value is None and may_be_none) or (name, value) == ("cached_views", "auto"):
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < smallest:
            ending = " or None" if may_be_none else ""
            wrong.append(
                f"{name} must be a whole number of at least {smallest}{ending}, not {value!r}"
            )
    if isinstance(config.seed, int) and config.seed >= 2**32:
        wrong.append(f"seed must be below 2**32, not {config.seed}")
    if config.ema is not None and not _is_number_between(config.ema, 0, 1):
        wrong.append(f"ema must be a momentum between 0 and 1 or None, not {config.ema!r}")
    if config.label_smoothing != 0 and not _is_number_between(config.label_smoothing, 0, 1):
        wrong.append(f"label_smoothing must be in [0, 1), not {config.label_smoothing!r}")
    if config.loss_scale != "dynamic" and not _is_number_between(
        config.loss_scale, 0, float("inf")
    ):
        wrong.append(f"loss_scale must be 'dynamic' or above 0, not {config.loss_scale!r}")
    if config.max_seconds is not None and not _is_number_between(
        config.max_seconds, 0, float("inf")
    ):
        wrong.append(
            f"max_seconds must be a positive number of seconds, not {config.max_seconds!r}"
        )
    return wrong


def _is_number_between(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low < value < high


def _wrong_choices(config: RunConfig) -> list[str]:
    wrong = []
    for name in (
        *("use_pyreader", "use_data_parallel", "use_cuda", "enable_memory_optim"),
        *("sync_batch_norm", "decoded_cache"),
    ):
        if not isinstance(getattr(config, name), bool):
            wrong.append(f"{name} must be True or False, not {getattr(config, name)!r}")
    for name, choices in (
        ("mixed_precision", MIXED_PRECISIONS),
        ("distribution", DISTRIBUTIONS),
        ("loss", LOSSES),
        ("resume", ("auto", True, False)),
    ):
        value = getattr(config, name)
        # 1 == True, but nobody means resume=1.
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            listing = ", ".join(repr(choice) for choice in choices)
            wrong.append(f"{name} must be one of {listing}, not {value!r}")
    if config.distribution == "mirrored" and config.use_data_parallel is False:
        wrong.append("distribution='mirrored' contradicts use_data_parallel=False; drop one")
    if not isinstance(config.checkpoint_dir, str | Path | None):
        wrong.append(f"checkpoint_dir must be a path or None, not {config.checkpoint_dir!r}")
    if config.strategy is not None and not isinstance(config.strategy, FinetuneStrategy):
        wrong.append(
            f"strategy must be a FinetuneStrategy such as hubcls.DefaultFinetuneStrategy(), "
            f"not {config.strategy!r}"
        )
    if isinstance(config.freeze, str) or not all(isinstance(name, str) for name in config.freeze):
        wrong.append(f"freeze must be names of layer groups in a list, not {config.freeze!r}")
    weights = config.class_weights
    if weights is not None and weights != "balanced" and not isinstance(weights, Mapping):
        wrong.append(
            f"class_weights must be 'balanced', a mapping from class name to weight or None, "
            f"not {weights!r}"
        )
    elif isinstance(weights, Mapping) and any(
        not isinstance(weight, int | float) or not 0 <= weight < math.inf
        for weight in weights.values()
    ):
        wrong.append("class_weights must all be numbers of at least 0")
    return wrong
