"""A backbone with a new head on top."""

from __future__ import annotations

import re
from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt

from hubcls.errors import ConfigError, WeightsError
from hubcls.seeding import derived_seed

LOGITS_NAME = "logits"
_HEAD_NAMES = re.compile(r"head_pool|head_dense_\d+|head_dropout|logits")


def build_classifier(
    backbone: keras.Model,
    *,
    num_outputs: int,
    hidden_units: Sequence[int] = (),
    dropout: float = 0.0,
    seed: int | None = None,
) -> keras.Model:
    """A flat functional model from the backbone's images to float32 logits [B, num_outputs].

    The head is PaddleHub's: optional fully connected ReLU layers, then one linear layer,
    kernels drawn from a normal distribution with standard deviation 0.02 cut at two
    deviations, biases 0. The dropout before the last layer is ours. Logits are float32
    under every dtype policy, for 8 or 11 bits of mantissa blur the loss.

    Args:
        backbone: functional; gives [B, h, w, C], which is averaged over h and w, or [B, C].
        num_outputs: number of logits.
        hidden_units: widths of the fully connected layers, the first nearest to the image.
        dropout: share of features dropped in training, in [0, 1).
        seed: fixes the kernels and the dropout; None draws them from Keras' global seed.

    Raises:
        ConfigError: a number is out of range, or the backbone's output has another rank.
    """
    _check_head(num_outputs, hidden_units, dropout)
    features = _pooled(backbone.output)
    for position, units in enumerate(hidden_units, start=1):
        features = keras.layers.Dense(
            units,
            activation="relu",
            kernel_initializer=_initializer(seed, position),
            name=f"head_dense_{position}",
        )(features)
    if dropout:
        features = keras.layers.Dropout(dropout, seed=seed, name="head_dropout")(features)
    logits = keras.layers.Dense(
        num_outputs,
        kernel_initializer=_initializer(seed, 0),
        dtype="float32",
        name=LOGITS_NAME,
    )(features)
    return keras.Model(backbone.input, logits, name="classifier")


def head_layer_names(model: keras.Model) -> tuple[str, ...]:
    """Names of the layers that `build_classifier` put on top, in graph order."""
    return tuple(layer.name for layer in model.layers if _HEAD_NAMES.fullmatch(layer.name))


def head_input(model: keras.Model) -> keras.KerasTensor:
    """What the head sees: the backbone's pooled features [B, C].

    Raises:
        ConfigError: `build_classifier` has not made the model's head.
    """
    names = head_layer_names(model)
    if LOGITS_NAME not in names:
        raise ConfigError(f"{model.name} has no head with a layer called {LOGITS_NAME!r}")
    first = model.get_layer(names[0])
    return first.output if first.name == "head_pool" else first.input


def is_linear_head(model: keras.Model) -> bool:
    """Whether the logits are a linear function of the backbone's (pooled) features."""
    names = head_layer_names(model)
    return LOGITS_NAME in names and not any(name.startswith("head_dense") for name in names)


def set_linear_head(model: keras.Model, kernel: npt.ArrayLike, bias: npt.ArrayLike) -> None:
    """Put a solved linear probe into the head.

    Args:
        model: from `build_classifier` without hidden units.
        kernel: [C_in, num_outputs].
        bias: [num_outputs].

    Raises:
        ConfigError: the model's head is not linear.
        WeightsError: kernel or bias have other shapes, or hold NaN or infinity.
    """
    if not is_linear_head(model):
        raise ConfigError(
            "only a linear head can take over a linear probe; build the classifier without "
            "hidden_units"
        )
    layer = model.get_layer(LOGITS_NAME)
    values = [np.asarray(kernel, dtype=np.float32), np.asarray(bias, dtype=np.float32)]
    wanted = [tuple(variable.shape) for variable in (layer.kernel, layer.bias)]
    given = [value.shape for value in values]
    if given != wanted:
        raise WeightsError(f"the head takes kernel and bias of shapes {wanted}, not {given}")
    if not all(np.isfinite(value).all() for value in values):
        raise WeightsError("the probe's weights hold NaN or infinity")
    layer.kernel.assign(values[0])
    layer.bias.assign(values[1])


def _pooled(features: keras.KerasTensor) -> keras.KerasTensor:
    if len(features.shape) == 4:
        return keras.layers.GlobalAveragePooling2D(name="head_pool")(features)
    if len(features.shape) == 2:
        return features
    raise ConfigError(f"a backbone must give [B, h, w, C] or [B, C], not {list(features.shape)}")


def _initializer(seed: int | None, position: int) -> keras.initializers.Initializer:
    own_seed = None if seed is None else derived_seed(seed, "head", position)
    return keras.initializers.TruncatedNormal(stddev=0.02, seed=own_seed)


def _check_head(num_outputs: int, hidden_units: Sequence[int], dropout: float) -> None:
    wrong = []
    if num_outputs < 1:
        wrong.append(f"num_outputs must be at least 1, not {num_outputs}")
    if any(not isinstance(units, int) or units < 1 for units in hidden_units):
        wrong.append(f"hidden_units must be positive whole numbers, not {list(hidden_units)}")
    if not 0 <= dropout < 1:
        wrong.append(f"dropout must be in [0, 1), not {dropout}")
    if wrong:
        raise ConfigError("the head cannot be built:\n  " + "\n  ".join(wrong))
