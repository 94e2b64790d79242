"""Files from the network: fetched whole or not at all, and unpacked with care."""

from hubcls.downloads.extracting import extract
from hubcls.downloads.fetching import fetch

__all__ = ["extract", "fetch"]
