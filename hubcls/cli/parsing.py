"""The flags of every verb. Nothing here imports TensorFlow: `hubcls --help` must be quick."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from typing import Any

from hubcls.config.tables import DEFAULT_MODULE, SHORT_STRATEGIES, SHORT_TASKS
from hubcls.inference.backends import BACKENDS
from hubcls.version import __version__

DATASET_HELP = (
    "a name from `hubcls datasets list`, a folder with one sub-folder a class, "
    "a CSV table (.csv), a list file (.txt), or tfds:NAME of tensorflow-datasets"
)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; a parsed verb stands in `verb`.

    A flag that was not given leaves no attribute behind, so that every default stays in
    the signature of the function that is called.
    """
    parser = argparse.ArgumentParser(
        prog="hubcls",
        description="Fine-tune a pretrained image classifier, measure it, and use it.",
    )
    parser.add_argument("--version", action="version", version=f"hubcls {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    _add_train(verbs)
    _add_eval(verbs)
    _add_predict(verbs)
    _add_modules(verbs)
    _add_datasets(verbs)
    _add_convert_config(verbs)
    _add_find_lr(verbs)
    _add_profile(verbs)
    _add_augment(verbs)
    return parser


def given(arguments: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """The values of those flags that were typed, by name."""
    return {name: getattr(arguments, name) for name in names if hasattr(arguments, name)}


def _verb(verbs: Any, name: str, summary: str, **options: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        argument_default=argparse.SUPPRESS,
        **options,
    )
    return parser


def _add_train(verbs: Any) -> None:
    parser = _verb(verbs, "train", "fine-tune a module on a data set, and measure the result")
    _add_config(parser)
    parser.add_argument(
        "--print-config",
        action="store_true",
        default=False,
        help="print the full config that would run, every default included, and end",
    )
    _add_parts(parser)
    _add_strategy(parser)
    _add_run(parser)
    _add_devices(parser)


def _add_find_lr(verbs: Any) -> None:
    parser = _verb(verbs, "find-lr", "train a little with a rising learning rate, and suggest one")
    _add_config(parser)
    test = parser.add_argument_group("the range test")
    test.add_argument("--lowest", type=float, metavar="RATE", help="default: 1e-6")
    test.add_argument("--highest", type=float, metavar="RATE", help="default: 1")
    test.add_argument("--num-steps", type=int, metavar="N", help="default: 100")
    test.add_argument("--out", metavar="FILE.png", help="draw the loss over the rate")
    _add_parts(parser)
    _add_strategy(parser)
    _add_run(parser)
    _add_devices(parser)


def _add_profile(verbs: Any) -> None:
    parser = _verb(verbs, "profile", "show where the time of a training step goes")
    _add_config(parser)
    measure = parser.add_argument_group("the profile")
    measure.add_argument(
        "--steps", type=int, metavar="N", dest="num_steps", help="timed of each kind; default: 10"
    )
    measure.add_argument(
        "--out",
        metavar="FOLDER",
        default="profile",
        help="of TensorBoard's profile; default: %(default)s",
    )
    _add_parts(parser)
    _add_strategy(parser)
    _add_devices(parser)


def _add_parts(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what is trained on what")
    what.add_argument("--module", help=f"default: {DEFAULT_MODULE}")
    what.add_argument("--dataset", help=DATASET_HELP)
    what.add_argument("--train-examples", type=int, metavar="N", help="train on N of them only")
    what.add_argument("--input-size", type=int, metavar="PIXELS", help="default: the module's")
    what.add_argument("--weights", help="imagenet (default), none, or a file")
    what.add_argument("--hidden-units", type=int, nargs="+", metavar="N", help="layers of the head")
    what.add_argument("--dropout", type=float, metavar="SHARE", help="before the last layer")
    what.add_argument(
        "--on-error", choices=("raise", "exclude"), help="what to do with unreadable images"
    )
    what.add_argument("--augmentation", action=argparse.BooleanOptionalAction, help="default: on")
    what.add_argument(
        "--task", choices=sorted(SHORT_TASKS), help="default: image_classifier, one class an image"
    )


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c", "--config", metavar="FILE", help="a YAML config; flags win over it (docs/configs.md)"
    )
    parser.add_argument(
        "-o",
        "--override",
        action="append",
        metavar="SECTION.KEY=VALUE",
        help="another value than the config's; may be repeated",
    )


def _add_strategy(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how the weights are tuned")
    how.add_argument("--strategy", choices=sorted(SHORT_STRATEGIES), help="default: auto")
    how.add_argument("--learning-rate", type=float, metavar="RATE", help="default: the strategy's")
    how.add_argument("--num-epoch", type=int, metavar="N", help="default: the strategy's")
    how.add_argument("--batch-size", type=int, metavar="N", help="per device; default: 32")
    how.add_argument(
        "--loss", choices=("cross_entropy", "focal", "asymmetric"), help="default: cross_entropy"
    )
    how.add_argument("--label-smoothing", type=float, metavar="SHARE")
    how.add_argument("--freeze", nargs="+", metavar="GROUP", help="e.g. stem stage2")
    how.add_argument(
        "--cached-views",
        type=lambda text: text if text == "auto" else int(text),
        metavar="N",
        help="views of each image that frozen layers compute once; 0: none (default: auto)",
    )
    how.add_argument(
        "--gradient-accumulation", type=int, metavar="N", help="batches for one update"
    )
    how.add_argument("--class-weights", choices=("balanced",))
    how.add_argument(
        "--ema",
        type=float,
        metavar="MOMENTUM",
        help="moving average of the weights (default: the strategy's)",
    )
    how.add_argument("--early-stopping", type=int, metavar="N", help="evaluations without gain")
    how.add_argument("--max-seconds", type=float, metavar="SECONDS", help="end cleanly after that")


def _add_run(parser: argparse.ArgumentParser) -> None:
    run = parser.add_argument_group("the run")
    run.add_argument("--checkpoint-dir", metavar="FOLDER", help="default: ckpt_YYYYmmddHHMMSS")
    run.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        help="go on with the run in --checkpoint-dir (default: if there is one)",
    )
    run.add_argument("--metrics", nargs="+", metavar="NAME", help="the first decides; e.g. acc f1")
    run.add_argument("--seed", type=int, metavar="N")
    run.add_argument("--log-interval", type=int, metavar="STEPS")
    run.add_argument("--eval-interval", type=int, metavar="STEPS", help="default: every epoch")
    run.add_argument("--save-interval", type=int, metavar="STEPS", dest="save_ckpt_interval")


def _add_devices(parser: argparse.ArgumentParser) -> None:
    devices = parser.add_argument_group("devices")
    devices.add_argument(
        "--use-gpu", action=argparse.BooleanOptionalAction, dest="use_cuda", help="default: on"
    )
    devices.add_argument(
        "--use-data-parallel",
        action=argparse.BooleanOptionalAction,
        help="on every GPU (default: on)",
    )
    devices.add_argument(
        "--steps-per-execution", type=int, metavar="N", help="steps in one go, on one device"
    )
    devices.add_argument("--distribution", choices=("auto", "one_device", "mirrored"))
    devices.add_argument(
        "--decoded-cache",
        action=argparse.BooleanOptionalAction,
        help="keep training images decoded for later epochs and runs (default: off)",
    )
    devices.add_argument(
        "--memory-limit-mb",
        type=int,
        metavar="MB",
        help="what images on their way to a training step may fill (default: 1024)",
    )
    devices.add_argument(
        "--sync-batch-norm",
        action=argparse.BooleanOptionalAction,
        help="BatchNorm that trains takes its statistics over all devices (default: on)",
    )
    devices.add_argument(
        "--loss-scale", type=_loss_scale, metavar="NUMBER", help="of float16; default: dynamic"
    )
    devices.add_argument(
        "--mixed-precision", choices=("auto", "float32", "mixed_float16", "mixed_bfloat16")
    )


def _add_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint",
        required=True,
        metavar="FOLDER",
        help="the --checkpoint-dir of a run, or its best_model folder",
    )


def _add_eval(verbs: Any) -> None:
    parser = _verb(verbs, "eval", "measure a fine-tuned classifier on a data set")
    _add_checkpoint(parser)
    _add_config(parser)
    parser.add_argument("--dataset", help=DATASET_HELP)
    parser.add_argument("--phase", choices=("train", "val", "test"), default="test")
    parser.add_argument(
        "--metrics", nargs="+", metavar="NAME", help="default: the config's, or accuracy and F1"
    )
    parser.add_argument("--batch-size", type=int, metavar="N")
    parser.add_argument("--on-error", choices=("raise", "exclude"))
    parser.add_argument("--json", action="store_true", default=False, help="print JSON")


def _add_predict(verbs: Any) -> None:
    parser = _verb(verbs, "predict", "name what is on images, with probabilities")
    parser.add_argument("images", nargs="*", default=[], metavar="IMAGE_OR_FOLDER")
    parser.add_argument(
        "-i",
        "--input",
        nargs="+",
        default=[],
        metavar="IMAGE_OR_FOLDER",
        help="the same, as an option",
    )
    _add_checkpoint(parser)
    parser.add_argument("--top-k", type=int, default=5, metavar="K", help="default: %(default)s")
    parser.add_argument("--batch-size", type=int, metavar="N")
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        help="what computes on a CPU; default: openvino for many images, where it is installed",
    )
    parser.add_argument(
        "--mixed-precision",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        help="mixed_bfloat16 is faster on processors with AMX; default: float32",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", default=False, help="one JSON object a line")
    form.add_argument("--csv", action="store_true", default=False, help="one row a class")
    parser.add_argument(
        "--save-features",
        metavar="FILE.npz",
        help="also write the backbone's pooled features, one row an image, with the paths",
    )


def _add_modules(verbs: Any) -> None:
    parser = _verb(verbs, "modules", "list, show or search pretrained modules")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = _verb(actions, "list", "all modules, with size, accuracy and licence")
    listing.add_argument(
        "--family", default=None, metavar="TEXT", help="only those with this text in their name"
    )
    listing.add_argument(
        "--max-params",
        type=_count,
        default=None,
        metavar="N",
        help="at most so many, without the classifier: 10M",
    )
    listing.add_argument(
        "--max-macs",
        type=_count,
        default=None,
        metavar="N",
        help="at most so many multiply-adds: 600M, 4G",
    )
    listing.add_argument(
        "--min-top1",
        type=float,
        default=None,
        metavar="PERCENT",
        help="at least this published top-1 accuracy",
    )
    listing.add_argument(
        "--sort",
        choices=("name", "params", "macs", "top1"),
        default="name",
        help="smallest first; the most accurate first",
    )
    show = _verb(actions, "show", "everything known about one module")
    show.add_argument("name")
    search = _verb(actions, "search", "modules whose name, alias or paper contains a text")
    search.add_argument("text")


def _count(text: str) -> float:
    """A number that may end in k, M or G."""
    factors = {"K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9}
    factor = factors.get(text[-1:].upper(), 1.0)
    try:
        number = float(text[:-1] if factor > 1 else text) * factor
    except ValueError:
        number = -1.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number such as 600k, 10M or 4.1G, not {text}")
    return number


def _loss_scale(text: str) -> float | str:
    return text if text == "dynamic" else float(text)


def _add_datasets(verbs: Any) -> None:
    parser = _verb(verbs, "datasets", "list, show or fetch data sets")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _verb(actions, "list", "all data sets, with classes, sizes and licence")
    show = _verb(actions, "show", "everything known about one data set")
    show.add_argument("name")
    prepare = _verb(actions, "prepare", "fetch a data set and check its images")
    prepare.add_argument("name")
    prepare.add_argument(
        "--from",
        dest="from_folder",
        metavar="FOLDER",
        help="where your images lie, for a data set that is not fetched: imagenet",
    )


def _add_convert_config(verbs: Any) -> None:
    parser = _verb(verbs, "convert-config", "rewrite a PaddleClas configuration as one of ours")
    parser.add_argument("file", metavar="PADDLECLAS.yaml")
    parser.add_argument("--out", metavar="FILE", help="write there; default: print")


def _add_augment(verbs: Any) -> None:
    parser = _verb(verbs, "augment", "draw what augmentation makes of a data set's images")
    _add_config(parser)
    parser.add_argument("--module", help=f"default: {DEFAULT_MODULE}")
    parser.add_argument("--dataset", help=DATASET_HELP)
    parser.add_argument("--out", required=True, metavar="FILE", help="a .png, .jpg or .webp")
    parser.add_argument(
        "--operations",
        nargs="+",
        metavar="NAME",
        help="such as rand_augment mixup; default: the config's; all without one",
    )
    parser.add_argument("--input-size", type=int, metavar="PIXELS", help="default: the module's")
    parser.add_argument("--num-images", type=int, metavar="N", help="rows; default: 6")
    parser.add_argument("--seed", type=int, metavar="N", help="other images, other changes")
    parser.add_argument("--on-error", choices=("raise", "exclude"))
