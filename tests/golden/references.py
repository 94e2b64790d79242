"""Cases of a recipe, and what their reference libraries answer."""

import importlib
import importlib.metadata
import importlib.util
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from recipes import drawn_image, keys_sha256

ROOT = Path(__file__).resolve().parents[2]
# Who computes with what: a file beside this one, and packages whose versions are recorded.
COMPUTERS = {
    "timm": ("torch_reference", ("timm", "torch")),
    "torchvision": ("torch_reference", ("torchvision", "torch")),
    "paddleclas": ("paddle_reference", ("paddleclas", "paddlepaddle")),
}
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "channel_order": "RGB"}


@dataclass(frozen=True)
class Case:
    """One entry of a recipe: what to build, and how to ask it.

    Attributes:
        module: name of the catalogue's row.
        publisher: which of the row's weights the case proves.
        library: who computes the reference.
        model: its name there.
        size: height and width of the input.
        stages: sub-modules whose outputs' statistics are recorded.
        arguments: for the model's constructor.
        gain: factor on all weights of two and more axes.
        keys: name of the table of the checkpoint's keys, the model's if None.
        is_quick: whether the default tests run it.
    """

    module: str
    publisher: str
    library: str
    model: str
    size: tuple[int, int]
    stages: tuple[str, ...] = ()
    arguments: dict[str, Any] = field(default_factory=dict)
    gain: float = 1.0
    keys: str | None = None
    is_quick: bool = False

    @property
    def name(self):
        """What the golden file calls it."""
        return f"{self.module}/{self.publisher}"

    def is_computable(self):
        """Whether this environment holds the library."""
        return importlib.util.find_spec(self.library) is not None


@dataclass(frozen=True)
class Answer:
    """What a reference library answers.

    Attributes:
        logits: float64 [classes].
        stages: float64 [S, 2], mean and standard deviation of each stage's output.
        shapes: of the weights that were drawn, by key.
        dtype: of the arithmetic.
    """

    logits: np.ndarray
    stages: np.ndarray
    shapes: dict[str, tuple[int, ...]]
    dtype: str


def read_recipe(path):
    """The cases of a recipe, by name."""
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))["cases"]
    cases = {}
    for row in rows:
        case = Case(**{**row, "size": tuple(row["size"]), "stages": tuple(row.get("stages", ()))})
        if case.library not in COMPUTERS:
            raise ValueError(f"{path}: {case.name}: library must be one of {sorted(COMPUTERS)}")
        if case.name in cases:
            raise ValueError(f"{path}: two cases are called {case.name}")
        cases[case.name] = case
    return cases


def compute(case):
    """The answer to a case, and what the golden file says about it."""
    normalisation = normalisation_of(case.module, case.publisher)
    file, packages = COMPUTERS[case.library]
    answer = importlib.import_module(file).answer(case, pixels(case.size, **normalisation))
    about = {
        "library": case.library,
        "model": case.model,
        "arguments": case.arguments,
        "versions": {name: importlib.metadata.version(name) for name in (*packages, "numpy")},
        "dtype": answer.dtype,
        "size": list(case.size),
        "gain": case.gain,
        **{key: value if key == "channel_order" else list(value)
           for key, value in normalisation.items()},
        "stages": list(case.stages),
        "num_tensors": len(answer.shapes),
        "keys_sha256": keys_sha256(answer.shapes),
        "logits_std": float(np.float32(answer.logits.std())),
    }  # fmt: skip
    return answer, about


def pixels(size, *, mean, std, channel_order):
    """float64 [H, W, 3]: the drawn image as the network reads it."""
    image = drawn_image(*size) / 255
    if channel_order == "BGR":
        image = image[..., ::-1]
    return (image - np.array(mean)) / np.array(std)


def normalisation_of(module, publisher):
    """Mean, standard deviation and channel order of a catalogue row with a publisher's weights."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from hubcls.errors import HubclsError
    from hubcls.modules.finding import spec

    try:
        rule = spec(module).for_weights(publisher).preprocessing
    except (AttributeError, HubclsError) as error:
        print(f"WARNING {module}/{publisher}: ImageNet's mean and std are used: {error}")
        return IMAGENET
    return {key: getattr(rule, key) for key in IMAGENET}


def statistics(arrays):
    """Mean and standard deviation over all elements of some arrays."""
    flat = np.concatenate([np.asarray(array, np.float64).ravel() for array in arrays])
    return flat.mean(), flat.std()


def flatten(output):
    """The tensors of a layer's output, which may nest lists, tuples and dictionaries."""
    if isinstance(output, dict):
        output = list(output.values())
    if not isinstance(output, (list, tuple)):
        return [output]
    return [tensor for part in output for tensor in flatten(part)]


def as_answer(outputs, recorded, shapes, dtype):
    """An `Answer` from a network's output and its stages' statistics.

    Args:
        outputs: NumPy arrays; the first holds the logits, others are auxiliary heads'.
        recorded: statistics by stage.
        shapes: of the drawn weights.
        dtype: of the arithmetic.
    """
    missing = [stage for stage, values in recorded.items() if len(values) != 1]
    if missing:
        calls = {stage: len(recorded[stage]) for stage in missing}
        raise ValueError(f"stages must run exactly once, these did otherwise: {calls}")
    [logits] = np.asarray(outputs[0], np.float64)
    stages = np.array([values[0] for values in recorded.values()]).reshape(-1, 2)
    return Answer(logits=logits, stages=stages, shapes=shapes, dtype=dtype)


def sub_modules(modules, stages):
    """The named sub-modules; an error lists the names that would have been right."""
    unknown = [stage for stage in stages if stage not in modules]
    if unknown:
        top = [name for name in modules if name and name.count(".") < 2]
        raise ValueError(f"no sub-modules {unknown}; some that exist: {' '.join(top)}")
    return {stage: modules[stage] for stage in stages}
