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


@dataclass(frozen=True)
class Case:
    """One entry of a recipe: what to build, and how to ask it.

    Attributes:
        module: name of the catalogue's row.
        publisher: which of the row's weights the case proves.
        library: who computes the reference.
        model: its name there.
        size: height and width of the input.
        stages: what our stages are there, for statistics: sub-modules' outputs or inputs.
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
    stages: tuple[str | list[str], ...]
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
        stages: float64 [S, 2], mean and standard deviation of each stage's tensors.
        shapes: of the weights that were drawn, by key.
        dtype: of the arithmetic.
        mirrored: how far the mirrored image moves the logits, in units of their spread:
            near 0, they prove little about the network's first half.
        rounding: how far float32 moves them, at most, in the same units.
    """

    logits: np.ndarray
    stages: np.ndarray
    shapes: dict[str, tuple[int, ...]]
    dtype: str
    mirrored: float
    rounding: float | None


def read_recipe(path):
    """The cases of a recipe, by name."""
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))["cases"]
    cases = {}
    for row in rows:
        case = Case(**{**row, "size": tuple(row["size"]), "stages": tuple(row["stages"])})
        if case.library not in COMPUTERS:
            raise ValueError(f"{path}: {case.name}: library must be one of {sorted(COMPUTERS)}")
        if case.name in cases:
            raise ValueError(f"{path}: two cases are called {case.name}")
        cases[case.name] = case
    return cases


def compute(case):
    """The answer to a case, and what the golden file says about it."""
    normalisation = normalisation_of(case.module, case.publisher)
    answer = ask(case, pixels(case.size, **normalisation))
    packages = (*COMPUTERS[case.library][1], "numpy")
    about = {
        "library": case.library,
        "model": case.model,
        "arguments": case.arguments,
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "dtype": answer.dtype,
        "size": list(case.size),
        "gain": case.gain,
        "mean": list(normalisation["mean"]),
        "std": list(normalisation["std"]),
        "channel_order": normalisation["channel_order"],
        "stages": list(case.stages),
        "num_tensors": len(answer.shapes),
        "keys_sha256": keys_sha256(answer.shapes),
        "logits_std": float(f"{answer.logits.std():.6g}"),
        "mirrored": float(f"{answer.mirrored:.2g}"),
    }
    return answer, about


def ask(case, image):
    """The answer to an image in float64, or in float32 where a layer knows no other."""
    network = importlib.import_module(COMPUTERS[case.library][0]).Network(case)
    quick, stages = run(network, image, "float32")
    dtype, rounding = "float32", None
    try:
        logits, stages = run(network, image, "float64")
        dtype, rounding = "float64", np.abs(logits - quick).max() / logits.std()
    except (TypeError, ValueError, RuntimeError) as error:
        print(f"WARNING {case.name}: float32 only, for float64 fails: {error!r:.200}")
        logits = quick
    mirrored, _ = run(network, image[:, ::-1], dtype)
    return Answer(
        logits=logits,
        stages=stages,
        shapes=network.shapes,
        dtype=dtype,
        mirrored=(mirrored - logits).std() / logits.std(),
        rounding=rounding,
    )


def run(network, image, dtype):
    """Logits [classes] and statistics of the stages [S, 2] for one image, as float64."""
    outputs, stages = network.run(image, dtype)
    # What follows the first output are auxiliary heads' logits.
    [logits] = np.asarray(outputs[0], np.float64)
    return logits, stages


def pixels(size, *, mean, std, channel_order):
    """float64 [H, W, 3]: the drawn image as the network reads it."""
    image = drawn_image(*size) / 255
    if channel_order == "BGR":
        image = image[..., ::-1]
    return (image - np.array(mean)) / np.array(std)


def normalisation_of(module, publisher):
    """Mean, standard deviation and channel order of a catalogue row with a publisher's weights.

    Raises:
        UnknownNameError: the catalogue has no such row.
        ValueError: the row has no weights of this publisher.
    """
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from hubcls.modules.finding import spec

    row = spec(module)
    if publisher not in row.publishers:
        raise ValueError(f"{module} has weights of {row.publishers}, not of {publisher!r}")
    rule = row.for_weights(publisher).preprocessing
    return {key: getattr(rule, key) for key in ("mean", "std", "channel_order")}
