"""Who builds a module: one file a source, each with one function of one signature.

    build(spec: ModuleSpec, *, weights: str | Path | None, height: int, width: int) -> Built

`weights` is None (random), "imagenet" (the published ones, which the spec names) or the
path of a file. A source that was asked for weights gives exactly these or raises.
"""
