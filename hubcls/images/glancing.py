"""Whether an image file is an ordinary JPEG or PNG, told without decoding it.

Loads no TensorFlow.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from PIL import ExifTags, Image

from hubcls.images.decoding import TENSORFLOW_MAX_BYTES, ImageFile, inspect

_JPEG_ENDS = b"\xff\xd9"
_PNG_ENDS = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_PNG_BIT_DEPTH, _PNG_COLOUR_TYPE = 24, 25
# Where a PNG file may say how the camera was held; Pillow finds out by decoding it.
_PNG_ORIENTATION = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")


def glance(path: str) -> ImageFile:
    """What `inspect` finds, twenty times as fast for an ordinary JPEG or PNG.

    Of such a file only header and end are looked at: damage between them shows when it is
    decoded, and `inspect` then tells what it is. All other files are inspected.

    Raises:
        DataError: the file cannot be read; as for `inspect`.
    """
    try:
        with Path(path).open("rb") as file, Image.open(file) as image:
            if _is_ordinary(image, file):
                return ImageFile(path, image.height, image.width, str(image.format), False)
    # Pillow raises anything on broken files; `inspect` says what it is.
    except Exception:
        return inspect(path)
    return inspect(path)


def _is_ordinary(image: Image.Image, file: BinaryIO) -> bool:
    if image.mode not in ("L", "RGB") or "transparency" in image.info:
        return False
    if image.width * image.height * 3 >= TENSORFLOW_MAX_BYTES:
        return False
    if image.format == "JPEG":
        file.seek(-len(_JPEG_ENDS), os.SEEK_END)
        return file.read() == _JPEG_ENDS and _orientation(image) == 1
    if image.format == "PNG":
        file.seek(0)
        contents = file.read()
        is_8_bit = contents[_PNG_BIT_DEPTH] == 8 and contents[_PNG_COLOUR_TYPE] in (0, 2)
        is_single = contents.endswith(_PNG_ENDS) and not getattr(image, "is_animated", False)
        return is_8_bit and is_single and not any(note in contents for note in _PNG_ORIENTATION)
    return False


def _orientation(image: Image.Image) -> int:
    return int(image.getexif().get(ExifTags.Base.Orientation, 1))
