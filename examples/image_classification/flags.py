"""What the two scripts beside this file share: PaddleHub's flags, and how an error is told."""

import argparse
import sys
from collections.abc import Callable

import hubcls as hub

CHECKPOINT_DIR = "hubcls_finetune_ckpt"


def add_common_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that training and prediction share."""
    parser.add_argument(
        "--module", default="efficientnet_lite0_imagenet", help="a name of `hubcls modules list`"
    )
    parser.add_argument(
        "--dataset", default="digits", help="a name of `hubcls datasets list`, or a folder"
    )
    parser.add_argument("--batch_size", type=int, default=32, help="images a device and step")
    parser.add_argument("--checkpoint_dir", default=CHECKPOINT_DIR, help="where everything lies")
    parser.add_argument("--use_gpu", type=true_or_false, default=True, help="use a GPU if any")


def true_or_false(text: str) -> bool:
    """PaddleHub's scripts take True and False as words."""
    words = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in words:
        raise argparse.ArgumentTypeError(f"must be True or False, not {text!r}")
    return words[text.lower()]


def run_with_clear_errors(main: Callable[[], None]) -> None:
    """Run a script; what its user has to change is one message, and exit status 2."""
    try:
        main()
    except hub.HubclsError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
