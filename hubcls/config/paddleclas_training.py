"""PaddleClas' optimizer, schedule and mixed precision as `strategy` and `run`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hubcls.config.paddleclas_parts import Part, below, leaves_of, number

Values = Mapping[str, Any]

_SCHEDULE = "Optimizer.lr"
# What every schedule of PaddleClas takes, and what says nothing.
_ALWAYS_READ = ("name", "learning_rate", "warmup_epoch")
_NOTHING_SAID: Values = {"last_epoch": -1, "warmup_start_lr": 0, "by_epoch": False}
_NOT_NEEDED: Mapping[str, str] = {
    "step_each_epoch": "the data set knows its number of steps",
    "verbose": "TensorBoard has the learning rate of every step",
}
_AMP_OFF = "AMP.use_amp switches it off"
# Decoupled from the gradient; with other optimizers PaddlePaddle adds L2 to it.
_DECOUPLED = ("AdamW", "Lamb")
# Variables that regularisation spares here: biases, normalisation, whatever is a vector.
_SPARED = ("bias", "norm", "bn")


def schedule_part(tree: Values) -> Part:
    """`Optimizer.lr`."""
    options = below(tree, _SCHEDULE)
    if not isinstance(options, Mapping):
        return Part()
    name = options.get("name", "Constant")
    reads, build = _SCHEDULES.get(name, ((), None))
    try:
        targets = _common(options)
        if build is not None:
            targets |= build(options)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        # Values of another type than PaddleClas itself would take.
        return Part({}, leaves_of(options, _SCHEDULE), {})
    known = (*_ALWAYS_READ, *reads) if build is not None else _ALWAYS_READ[1:]
    left = {
        f"{_SCHEDULE}.{key}": value
        for key, value in options.items()
        if key not in known
        and key not in _NOT_NEEDED
        and not (key in _NOTHING_SAID and value == _NOTHING_SAID[key])
    }
    spared = {f"{_SCHEDULE}.{key}": _NOT_NEEDED[key] for key in options if key in _NOT_NEEDED}
    return Part(targets, left, spared)


def _common(options: Values) -> dict[str, Any]:
    targets: dict[str, Any] = {}
    if "learning_rate" in options:
        targets["strategy.learning_rate"] = number(options["learning_rate"])
    if options.get("warmup_epoch"):
        targets["strategy.warmup_epochs"] = number(options["warmup_epoch"])
    return targets


def _constant(options: Values) -> Values:
    return {"strategy.schedule": "constant"}


def _cosine(options: Values) -> Values:
    return _to_the_end("cosine", options, options.get("eta_min", 0))


def _linear(options: Values) -> Values:
    power = number(options.get("power", 1))
    if power == 1:
        return _to_the_end("linear", options, options.get("end_lr", 0))
    return _to_the_end("polynomial", options, options.get("end_lr", 0), power=power)


def _to_the_end(name: str, options: Values, lowest: Any, **own: Any) -> Values:
    """A schedule that falls until the run ends; a name alone where it falls to 0."""
    if lowest:
        own["end_factor"] = number(lowest) / number(options["learning_rate"])
    return {"strategy.schedule": {"name": name, **own} if own else name}


def _step(options: Values) -> Values:
    factor, epochs = number(options.get("gamma", 0.1)), number(options["step_size"])
    schedule = {"name": "exponential", "factor": factor, "epochs": epochs}
    return {"strategy.schedule": schedule}


def _multi_step(options: Values) -> Values:
    factor, ends = number(options.get("gamma", 0.1)), options["milestones"]
    return _piecewise(options, ends, [factor**times for times in range(len(ends) + 1)])


def _rates(options: Values) -> Values:
    rates = [number(rate) for rate in options["values"]]
    schedule = _piecewise(options, options["decay_epochs"], [rate / rates[0] for rate in rates])
    return {**schedule, "strategy.learning_rate": rates[0]}


def _piecewise(options: Values, ends: Sequence[Any], factors: Sequence[float]) -> Values:
    # Ours are epochs of the run; PaddlePaddle counts from the end of the warm-up.
    warmup = number(options.get("warmup_epoch", 0))
    epochs = [number(end) + warmup for end in ends]
    return {"strategy.schedule": {"name": "piecewise", "epochs": epochs, "factors": list(factors)}}


# Name there → the options that are read, and what they make.
_SCHEDULES: Mapping[str, tuple[tuple[str, ...], Callable[[Values], Values]]] = {
    "Constant": (("by_epoch",), _constant),
    "Cosine": (("eta_min",), _cosine),
    "Linear": (("end_lr", "power"), _linear),
    "MultiStepDecay": (("milestones", "gamma", "by_epoch"), _multi_step),
    "Piecewise": (("decay_epochs", "values", "by_epoch"), _rates),
    "Step": (("step_size", "gamma", "by_epoch"), _step),
}


def precision_part(tree: Values) -> Part:
    """`AMP`: a section alone switches it on, unless `use_amp` says no."""
    options = below(tree, "AMP")
    if not isinstance(options, Mapping):
        return Part()
    if options.get("use_amp", True) is False:
        return Part(
            {"run.mixed_precision": "float32"},
            {},
            {f"AMP.{key}": _AMP_OFF for key in options if key != "use_amp"},
        )
    targets: dict[str, Any] = {"run.mixed_precision": "mixed_float16"}
    not_needed = {
        "AMP.use_fp16_test": "evaluation computes as training does",
        "AMP.use_promote": "Keras' policy says what computes in which precision",
        "AMP.use_dynamic_loss_scaling": "run.loss_scale says it",
    }
    if options.get("use_dynamic_loss_scaling", False):
        targets["run.loss_scale"] = "dynamic"
        not_needed["AMP.scale_loss"] = "a dynamic scale finds its own"
    elif "scale_loss" in options:
        targets["run.loss_scale"] = options["scale_loss"]
    known = ("use_amp", "scale_loss", *(key.removeprefix("AMP.") for key in not_needed))
    left = {f"AMP.{key}": value for key, value in options.items() if key not in known}
    if options.get("level", "O1") in ("O1", "O2"):
        left.pop("AMP.level", None)
    spared = {key: why for key, why in not_needed.items() if key.removeprefix("AMP.") in options}
    return Part(targets, left, spared)


def decay_part(tree: Values) -> Part:
    """`Optimizer.regularizer`, `weight_decay`, and which weights that spares."""
    options = below(tree, "Optimizer")
    if not isinstance(options, Mapping):
        return Part()
    targets: dict[str, Any] = {}
    left: dict[str, Any] = {}
    regularizer, decay = options.get("regularizer"), options.get("weight_decay")
    if isinstance(regularizer, Mapping) and regularizer.get("name") in ("L1", "L2"):
        targets[f"strategy.regularization.{regularizer['name']}"] = regularizer.get("coeff")
    elif regularizer is not None:
        left |= leaves_of(regularizer, "Optimizer.regularizer")
    if isinstance(decay, int | float):
        name = "weight_decay" if options.get("name") in _DECOUPLED else "L2"
        targets[f"strategy.regularization.{name}"] = decay
    elif decay is not None:
        left["Optimizer.weight_decay"] = decay
    names = str(options.get("no_weight_decay_name") or "").split()
    decayed = [name for name in names if not any(word in name for word in _SPARED)]
    if decayed:
        left["Optimizer.no_weight_decay_name"] = " ".join(decayed)
    return Part(targets, left, {})
