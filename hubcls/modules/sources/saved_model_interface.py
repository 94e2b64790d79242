"""A loaded SavedModel: which of its functions to call, with what, and which variables train."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from hubcls.errors import ConfigError, UnknownNameError
from hubcls.modules.sources import saved_model_files

_PREFERRED_SIGNATURES = ("serving_default", "default", "image_feature_vector")
_PREFERRED_OUTPUTS = ("default", "feature_vector")


@dataclass(frozen=True)
class Interface:
    """What a layer needs of a loaded SavedModel.

    Attributes:
        model: the loaded object; its functions die with it.
        function: takes images, and `training=` where `training_modes` is not empty.
        input_spec: shape [B, H, W, 3] and dtype of the images.
        training_modes: the values of `training` that the function was saved with.
        output_key: which output to take, where the function gives them by name.
        variables: every variable that the function reads.
        trainable: whether each of them trains.
        regularizers: functions without arguments that give the losses to add.
    """

    model: Any
    function: Callable[..., Any]
    input_spec: tf.TensorSpec
    training_modes: frozenset[bool]
    output_key: str | None
    variables: tuple[tf.Variable, ...]
    trainable: tuple[bool, ...]
    regularizers: tuple[Callable[[], tf.Tensor], ...]

    def run(self, images: tf.Tensor, *, training: bool) -> tf.Tensor:
        """The output for images of the scale that the SavedModel wants.

        A model that was saved for one mode only is called in that one.
        """
        options = {}
        if self.training_modes:
            is_saved = training in self.training_modes
            options = {"training": training if is_saved else not training}
        outputs = self.function(tf.cast(images, self.input_spec.dtype), **options)
        return outputs if self.output_key is None else outputs[self.output_key]


@dataclass(frozen=True)
class _Function:
    """A function of a SavedModel, with the arguments and the outputs it was saved with."""

    call: Callable[..., Any]
    concrete: tuple[Any, ...]
    arguments: tuple[dict[str, Any], ...]


def open_saved_model(
    folder: Path, *, signature: str | None = None, output_key: str | None = None
) -> Interface:
    """Load a SavedModel that takes images.

    A reusable one (TensorFlow Hub's TF2 format) is called as an object, one from Keras'
    `model.export` by its `serve`, any other by a signature.

    Args:
        folder: the one that holds saved_model.pb.
        signature: the signature to call instead.
        output_key: which output to take, where there are several.

    Raises:
        ConfigError: the folder holds no SavedModel, or it is not clear which function,
            input or output is meant; the message lists the choices.
        UnsafeCheckpointError: its graph reaches outside of itself.
    """
    saved_model_files.check(folder)
    # TensorFlow Hub's TF1 format keeps its inference graph under no tags at all.
    tags: list[str] | None = [] if (folder / "tfhub_module.pb").exists() else None
    model = tf.saved_model.load(str(folder), tags=tags)
    function = _function(model, signature, folder)
    variables = _variables(model, function)
    declared = getattr(model, "trainable_variables", None)
    chosen = variables if declared is None else tuple(declared)
    trainable = {one.ref() for one in chosen if declared is not None or one.trainable}
    return Interface(
        model=model,
        function=function.call,
        input_spec=_input_spec(function, folder),
        training_modes=_training_modes(function),
        output_key=_output_key(function, output_key, folder),
        variables=variables,
        trainable=tuple(one.ref() in trainable for one in variables),
        regularizers=tuple(getattr(model, "regularization_losses", None) or ()),
    )


def _function(model: Any, signature: str | None, folder: Path) -> _Function:
    if signature is None and callable(model):
        return _restored(model.__call__)
    if signature is None and callable(getattr(model, "serve", None)):
        return _restored(model.serve)
    signatures = dict(getattr(model, "signatures", {}))
    if signature is not None and signature not in signatures:
        raise UnknownNameError(f"signature of {folder}", signature, signatures)
    name = signature or _choose("signature", signatures, _PREFERRED_SIGNATURES, folder)
    return _from_signature(signatures[name])


def _restored(function: Any) -> _Function:
    names = function.function_spec.arg_names
    concrete = tuple(function.concrete_functions)
    saved = [one.structured_input_signature for one in concrete]
    arguments = tuple({**dict(zip(names, args, strict=False)), **kwargs} for args, kwargs in saved)
    return _Function(function, concrete, arguments)


def _from_signature(concrete: Any) -> _Function:
    arguments = dict(concrete.structured_input_signature[1])

    def call(images: tf.Tensor) -> Any:
        return concrete(**dict.fromkeys(arguments, images))

    return _Function(call, (concrete,), (arguments,))


def _input_spec(function: _Function, folder: Path) -> tf.TensorSpec:
    for arguments in function.arguments:
        tensors = {
            name: spec
            for name, spec in arguments.items()
            if isinstance(spec, tf.TensorSpec) and name != "training"
        }
        if len(tensors) == 1 and _can_be_images(spec := next(iter(tensors.values()))):
            return spec
    raise ConfigError(
        f"the SavedModel in {folder} does not take one batch of images [B, H, W, 3]; it takes "
        f"{[list(arguments.values()) for arguments in function.arguments]}.\n"
        "  Choose another of its signatures with signature=, or export it with one image input."
    )


def _can_be_images(spec: tf.TensorSpec) -> bool:
    is_number = spec.dtype.is_floating or spec.dtype.is_integer
    shape = spec.shape
    return is_number and (shape.rank is None or (shape.rank == 4 and shape[3] in (3, None)))


def _training_modes(function: _Function) -> frozenset[bool]:
    modes = [arguments["training"] for arguments in function.arguments if "training" in arguments]
    if any(isinstance(mode, tf.TensorSpec) for mode in modes):
        return frozenset({True, False})
    return frozenset(bool(mode) for mode in modes)


def _output_key(function: _Function, wanted: str | None, folder: Path) -> str | None:
    outputs = function.concrete[0].structured_outputs
    if not isinstance(outputs, Mapping):
        if wanted is None:
            return None
        raise ConfigError(f"the SavedModel in {folder} gives one output without a name")
    if wanted is not None and wanted not in outputs:
        raise UnknownNameError(f"output of {folder}", wanted, outputs)
    return wanted or _choose("output_key", outputs, _PREFERRED_OUTPUTS, folder)


def _choose(kind: str, names: Iterable[str], preferred: tuple[str, ...], folder: Path) -> str:
    known = sorted(names)
    found = [name for name in preferred if name in known]
    if found or len(known) == 1:
        return (found or known)[0]
    raise ConfigError(
        f"the SavedModel in {folder} leaves open what to use as {kind}: "
        f"{', '.join(known) or 'it has none'}.\n  Say which with {kind}=."
    )


def _variables(model: Any, function: _Function) -> tuple[tf.Variable, ...]:
    declared = getattr(model, "variables", None)
    used = [one for concrete in function.concrete for one in concrete.variables]
    return tuple({one.ref(): one for one in (used if declared is None else declared)}.values())
