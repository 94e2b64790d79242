"""What leaves the house: a classifier as a folder that needs nothing else."""

from hubcls.export.bundle import Bundle, load_bundle, save_bundle

__all__ = ["Bundle", "load_bundle", "save_bundle"]
