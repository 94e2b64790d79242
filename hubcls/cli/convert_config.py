"""`hubcls convert-config`: a PaddleClas configuration in our words."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hubcls.config.converting import converted
from hubcls.writing import write_file


def run(arguments: argparse.Namespace) -> None:
    """Print or write the config; on standard error, how much of the other it holds."""
    conversion = converted(Path(arguments.file))
    text = conversion.as_yaml(arguments.file)
    if hasattr(arguments, "out"):
        write_file(Path(arguments.out), text)
    else:
        print(text, end="")
    missing = "".join(f"\n  {line}" for line in conversion.not_mapped)
    print(f"not mapped: {len(conversion.not_mapped)}{missing}", file=sys.stderr)
    if conversion.problems:
        refused = "".join(f"\n  {line}" for line in conversion.problems)
        print(f"hubcls train refuses it:{refused}", file=sys.stderr)
