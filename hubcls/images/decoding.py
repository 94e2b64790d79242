"""Image files and arrays to uint8 RGB by Pillow, and the check of files before training.

Loads no TensorFlow, so that data sets can be listed and checked without it.
"""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from hubcls.errors import DataError

RGBArray = npt.NDArray[np.uint8]

_JPEG_STARTS = b"\xff\xd8\xff"
_JPEG_SCAN_STARTS, _JPEG_ENDS = b"\xff\xda", b"\xff\xd9"
_PNG_STARTS = b"\x89PNG\r\n\x1a\n"
_PNG_BIT_DEPTH, _PNG_COLOUR_TYPE = 24, 25  # offsets of two bytes of the header chunk
# TensorFlow's decoders refuse pictures whose RGB bytes would fill 2**29 or more.
TENSORFLOW_MAX_BYTES = 2**29
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class ImageFile:
    """What `inspect` found in a file.

    Attributes:
        path: as given.
        height: rows of the upright picture.
        width: columns of the upright picture.
        format: what the bytes are, whatever the file is called: "JPEG", "PNG", "GIF" …
        needs_pillow: whether TensorFlow's decoder would refuse the file or give other
            pixels than `read_with_pillow`.
    """

    path: str
    height: int
    width: int
    format: str
    needs_pillow: bool


def inspect(path: str) -> ImageFile:
    """What the file holds, found by decoding all of it.

    Pictures above Pillow's guard against decompression bombs (179 million pixels) are
    refused: decoded in parallel, they would fill any memory. Raising
    `PIL.Image.MAX_IMAGE_PIXELS` lets them in.

    Raises:
        DataError: the file cannot be read. The message is the reason alone, ready to
            stand beside the path in `UnreadableImagesError`.
    """
    contents = _contents(path)
    with _opened(contents) as image:
        upright = to_rgb_array(image)
        return ImageFile(
            path=path,
            height=upright.shape[0],
            width=upright.shape[1],
            format=str(image.format),
            needs_pillow=not _is_plain(image, contents),
        )


def read_with_pillow(source: str | bytes) -> RGBArray:
    """The upright picture as uint8 [H, W, 3], RGB, 0–255.

    The orientation that a camera noted is applied, transparency shows white, 16-bit
    channels keep their high byte, of an animation the first frame is read. Colour
    profiles are not applied.

    Args:
        source: a path, or the bytes of an image file.

    Raises:
        DataError: the picture cannot be read; names the path and the reason.
    """
    if isinstance(source, bytes):
        with _opened(source) as image:
            return to_rgb_array(image)
    try:
        return read_with_pillow(_contents(source))
    except DataError as error:
        raise DataError(f"{source}: {error}") from error


def to_rgb_array(image: np.ndarray | Image.Image) -> RGBArray:
    """An image in memory as uint8 [H, W, 3], RGB, 0–255.

    Args:
        image: a Pillow image, or an array of shape [H, W], [H, W, 1], [H, W, 3] or
            [H, W, 4] (alpha last; it shows white). uint8 is taken as it is, uint16 keeps
            its high byte, other numbers must lie within 0–255 and are rounded.

    Raises:
        DataError: the shape or the range of the values is not an image's, or the range
            is ambiguous: floats that all lie within 0–1, uint16 within 0–255.
    """
    if isinstance(image, Image.Image):
        return np.array(_rgb(image), dtype=np.uint8)
    if image.ndim == 2:
        return to_rgb_array(image[..., np.newaxis])
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or 0 in image.shape:
        raise DataError(
            f"an image must have shape [H, W], [H, W, 1], [H, W, 3] or [H, W, 4], "
            f"not {list(image.shape)}; channels come last, one image at a time"
        )
    pixels = _to_uint8(image)
    if pixels.shape[2] == 4:
        return np.array(_on_white(Image.fromarray(pixels)), dtype=np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def _contents(path: str) -> bytes:
    try:
        contents = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"cannot be opened: {error.strerror or error}") from error
    if not contents:
        raise DataError("is empty (0 bytes)")
    return contents


@contextlib.contextmanager
def _opened(contents: bytes) -> Iterator[Image.Image]:
    """The decoded picture; whatever Pillow raises becomes a DataError with the reason."""
    try:
        with Image.open(io.BytesIO(contents)) as image:
            image.load()
            yield image
    except (DataError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise DataError(
            f"is in no image format that Pillow reads; it starts with {contents[:12]!r}"
        ) from error
    except Image.DecompressionBombError as error:
        raise DataError(
            f"is too large: {error}; shrink it, or raise PIL.Image.MAX_IMAGE_PIXELS"
        ) from error
    # Pillow's decoders raise any exception on broken files: SyntaxError, IndexError …
    except Exception as error:
        raise DataError(f"is damaged or cut off: {str(error) or type(error).__name__}") from error


def _is_plain(image: Image.Image, contents: bytes) -> bool:
    """Whether TensorFlow decodes the file, and to the very pixels that Pillow gives."""
    if image.mode not in ("L", "RGB") or "transparency" in image.info or _orientation(image) != 1:
        return False
    if image.width * image.height * 3 >= TENSORFLOW_MAX_BYTES:
        return False
    # Damage that Pillow puts up with may stop TensorFlow in the middle of a run.
    if image.format in ("JPEG", "MPO"):
        is_complete = contents.rfind(_JPEG_ENDS) > contents.rfind(_JPEG_SCAN_STARTS)
        return is_complete and contents.startswith(_JPEG_STARTS)
    if image.format == "PNG":
        is_8_bit = contents[_PNG_BIT_DEPTH] == 8 and contents[_PNG_COLOUR_TYPE] in (0, 2)
        is_animated = getattr(image, "is_animated", False)
        return is_8_bit and not is_animated and _has_intact_chunks(contents)
    return image.format == "WEBP" and not getattr(image, "is_animated", False)


def _has_intact_chunks(contents: bytes) -> bool:
    """Whether a PNG file is a row of chunks with right checksums that ends with IEND."""
    start, name = len(_PNG_STARTS), b""
    while start + 12 <= len(contents) and name != b"IEND":
        (size,) = struct.unpack_from(">I", contents, start)
        name = contents[start + 4 : start + 8]
        body_ends = start + 8 + size
        checksum = contents[body_ends : body_ends + 4]
        if checksum != struct.pack(">I", zlib.crc32(contents[start + 4 : body_ends])):
            return False
        start = body_ends + 4
    return name == b"IEND" and start == len(contents) and contents.startswith(_PNG_STARTS)


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    # A broken note about the camera does not make the picture unreadable; browsers and
    # TensorFlow ignore it likewise. Pillow raises anything here.
    except Exception:
        return 1
    return orientation if orientation in _UPRIGHT else 1


def _rgb(image: Image.Image) -> Image.Image:
    orientation = _orientation(image)
    upright = image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image
    # Before 10.3 Pillow opened 16-bit grey PNG files in mode "I".
    if upright.mode.startswith("I;16") or (upright.mode == "I" and image.format == "PNG"):
        high_byte = np.asarray(upright).astype(np.uint16) >> 8
        return Image.fromarray(high_byte.astype(np.uint8)).convert("RGB")
    if upright.mode in ("I", "F"):
        raise DataError(
            "holds 32-bit values whose range is unknown; save it with 8 or 16 bits a channel"
        )
    if upright.has_transparency_data:
        return _on_white(upright.convert("RGBA"))
    return upright.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _to_uint8(pixels: np.ndarray) -> RGBArray:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind not in "iuf":
        raise DataError(f"an image must hold numbers within 0–255, not {pixels.dtype}")
    low, high = pixels.min(), pixels.max()
    if pixels.dtype == np.uint16:
        if 0 < high <= 255:
            raise DataError(
                "a uint16 image whose values all lie within 0–255 is ambiguous; "
                "make it uint8 if it is on that scale"
            )
        return np.asarray(pixels >> 8, dtype=np.uint8)
    if not (low >= 0 and high <= 255):
        raise DataError(f"an image's values must lie within 0–255, not {low}–{high}")
    if pixels.dtype.kind == "f" and 0 < high <= 1:
        raise DataError(
            "a float image whose values all lie within 0–1 is ambiguous; "
            "0–255 is wanted: multiply it by 255 if it is on the 0–1 scale"
        )
    return np.asarray(np.rint(pixels), dtype=np.uint8)
