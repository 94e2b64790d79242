"""Folders and archives with a file for each variable: honest ones, and ones that attack."""

import gzip
import io
import os
import struct
import tarfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from hubcls.errors import UnsafeCheckpointError, WeightsError
from hubcls.weights import read_arrays

FOLDER = Path(__file__).parent / "files"
ARCHIVE = FOLDER / "static_pretrained.tar"


def variable(numbers=(1.0, 2.0), *, number_type=5, dims=None, levels=(), data=None, desc=None):
    """A variable's file, byte by byte."""
    numbers = np.asarray(numbers, "<f4")
    lengths = b"".join(varint(2 << 3) + varint(n) for n in dims or numbers.shape)
    message = varint(1 << 3) + varint(number_type) + lengths if desc is None else desc
    sequences = b"".join(struct.pack("<Q", len(level)) + level for level in levels)
    head = struct.pack("<IQ", 0, len(levels)) + sequences + struct.pack("<Ii", 0, len(message))
    return head + message + (numbers.tobytes() if data is None else data)


def varint(number):
    """Protobuf's form of a number; negative ones in 64 bits."""
    number %= 2**64
    content = b""
    while number > 0x7F:
        content += bytes([number & 0x7F | 0x80])
        number >>= 7
    return content + bytes([number])


def entry(name, content=b"", **attributes):
    """A tar entry and its bytes."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info, content


def packed(*entries, form=tarfile.GNU_FORMAT):
    """A tar archive of these entries."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def with_size(archive, field):
    """The archive with another size in its first header, and the right checksum."""
    header = bytearray(archive[:512])
    header[124:136], header[148:156] = field, b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + archive[512:]


@pytest.fixture
def read(writer):
    return lambda content: read_arrays(writer.file(content))


def filtered(name):
    """The argument that Python has had since 3.11.4 and warns of the lack of from 3.12 on."""
    return {"filter": name} if hasattr(tarfile, "data_filter") else {}


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_an_archive_of_paddle_is_read_by_the_names_of_its_variables(suffix):
    arrays = read_arrays(FOLDER / f"static_pretrained.tar{suffix}")

    layers = [key for key in arrays if not key.startswith("types/")]
    assert layers == [
        "batch_norm2d_0.b_0", "batch_norm2d_0.w_0", "batch_norm2d_0.w_1", "batch_norm2d_0.w_2",
        "conv2d_0.b_0", "conv2d_0.w_0",
    ]  # fmt: skip
    assert arrays["conv2d_0.w_0"].shape == (2, 3, 1, 1)
    for key in layers:
        np.testing.assert_array_equal(arrays[key].ravel(), np.arange(arrays[key].size))


def test_every_number_type_of_a_static_graph_is_read():
    arrays = read_arrays(ARCHIVE)

    for name in ("float32", "float16", "float64", "int64", "int32", "int16", "int8", "uint8"):
        assert arrays[f"types/{name}"].dtype == name
        np.testing.assert_array_equal(arrays[f"types/{name}"], np.arange(6).reshape(2, 3))
    assert arrays["types/bfloat16"].dtype == np.float32
    assert arrays["types/bfloat16"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert arrays["types/bool"].tolist() == [[False, True, True], [True, True, True]]


def test_an_extracted_folder_gives_what_its_archive_gives(tmp_path):
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, **filtered("data"))  # noqa: S202 - ours

    arrays = read_arrays(tmp_path / "static_pretrained")

    packed_arrays = read_arrays(ARCHIVE)
    assert sorted(arrays) == sorted(packed_arrays)
    for key, array in packed_arrays.items():
        np.testing.assert_array_equal(arrays[key], array)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["w" * 99, "long_" * 15 + "/" + "x" * 90, "weights_Gewichtung_ß"])
def test_all_ways_to_write_names_are_read(name, form, read):
    content = packed(entry(f"net/{name}", variable()), entry("net/b", variable()), form=form)

    arrays = read(content)

    assert sorted(arrays) == sorted([name, "b"])


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_name_of_any_length_is_read(form, read):
    name = "scope/" * 100 + "w"

    assert list(read(packed(entry(f"net/{name}", variable()), form=form))) == [name]


@pytest.mark.parametrize("prefix", ["", "./", "net/", "./net/"])
def test_names_are_relative_to_the_one_top_folder(prefix, read):
    content = packed(entry(f"{prefix}w", variable()), entry(f"{prefix}scope/w", variable()))

    assert list(read(content)) == ["w", "scope/w"]


def test_what_macos_leaves_behind_is_passed_over(read):
    litter = [entry("._net", b"x"), entry("net/._w", b"x"), entry("net/.DS_Store", b"x")]

    assert list(read(packed(*litter, entry("net/w", variable())))) == ["w"]


def test_lengths_of_sequences_are_passed_over(read):
    content = variable([1.0, 2.0], levels=(b"", bytes(24)))

    assert read(packed(entry("w", content)))["w"].tolist() == [1, 2]


LINKS = {
    "symbolic link": {"type": tarfile.SYMTYPE, "linkname": "w"},
    "link out": {"type": tarfile.SYMTYPE, "linkname": "../../secret"},
    "hard link": {"type": tarfile.LNKTYPE, "linkname": "w"},
    "character device": {"type": tarfile.CHRTYPE},
    "block device": {"type": tarfile.BLKTYPE},
    "pipe": {"type": tarfile.FIFOTYPE},
    "contiguous file": {"type": tarfile.CONTTYPE},
    "sparse file": {"type": tarfile.GNUTYPE_SPARSE},
    "unknown": {"type": b"Z"},
    "long link": {"type": tarfile.SYMTYPE, "linkname": "w" * 200},
}


@pytest.mark.parametrize("kind", LINKS)
def test_anything_but_files_and_folders_is_refused(kind, read):
    honest = entry("w", variable())

    with pytest.raises(UnsafeCheckpointError, match="no plain file"):
        read(packed(honest, entry("bad", **LINKS[kind])))


@pytest.mark.parametrize("name", ["../outside", "net/../../outside", "/outside", ".."])
def test_names_that_lead_out_are_refused_and_nothing_is_written(name, read, tmp_path):
    content = packed(entry("net/w", variable()), entry(name, variable()))

    with pytest.raises(UnsafeCheckpointError, match="leads out"):
        read(content)

    assert [path.name for path in tmp_path.iterdir()] == ["weights.pth"]


def test_the_archive_that_leads_out_is_a_live_one(tmp_path):
    content = packed(entry("../outside", variable()))
    target = tmp_path / "target"
    target.mkdir()

    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(target, **filtered("fully_trusted"))  # noqa: S202 - the proof

    assert (tmp_path / "outside").is_file()


@pytest.mark.parametrize("second", ["net/w", "./net/w", "net//w", "net/./w"])
def test_two_files_of_one_name_are_refused(second, read):
    with pytest.raises(UnsafeCheckpointError, match="twice"):
        read(packed(entry("net/w", variable()), entry(second, variable())))


@pytest.mark.parametrize(
    "field",
    [
        b"00000777777\0",
        b"77777777777\0",
        b"\x80" + bytes(6) + b"\xff" * 5,  # a large number in base 256
        b"\xff" * 12,  # a negative one, on which Python's tarfile may loop for ever
        b"-0000000512\0",
        b"0o000000012\0",
        b"12_0       \0",
        b" " * 12,
    ],
)
def test_sizes_beyond_the_archive_are_refused(field, read):
    content = packed(entry("net/w", variable()), entry("net/b", variable()))

    with pytest.raises(WeightsError):
        read(with_size(content, field))


@pytest.mark.parametrize(
    "headers",
    [
        {"size": "99999999999"},
        {"size": "-512"},
        {"GNU.sparse.major": "1", "GNU.sparse.realsize": "99999999999"},
    ],
)
def test_extended_headers_that_change_sizes_are_refused(headers, read):
    with pytest.raises(UnsafeCheckpointError, match="has entries with"):
        read(packed(entry("w", variable(), pax_headers=headers), form=tarfile.PAX_FORMAT))


@pytest.mark.parametrize(
    "lines", [b"x", b"9 path=w", b"0 \n", b"99 path=w\n", b"-9 path=w\n", b"2 \n", b"\xff=\n"]
)
def test_damaged_extended_headers_are_an_error(lines, read):
    header = entry("header", lines, type=tarfile.XHDTYPE)

    with pytest.raises(WeightsError):
        read(packed(header, entry("w", variable())))


def test_an_extended_header_cannot_lead_out(read):
    renamed = entry("w", variable(), pax_headers={"path": "../outside"})

    with pytest.raises(UnsafeCheckpointError, match="leads out"):
        read(packed(renamed, form=tarfile.PAX_FORMAT))


def test_an_archive_without_an_end_is_an_error(read):
    whole = packed(entry("net/w", variable()), entry("net/b", variable()))

    with pytest.raises(WeightsError, match="no end"):
        read(whole[: 2 * 1024])


def test_a_compressed_bomb_is_refused_before_it_fills_memory(writer):
    content = gzip.compress(packed(entry("w", variable(data=bytes(2**28)))), compresslevel=1)
    path = writer.file(content)

    tracemalloc.start()
    with pytest.raises(UnsafeCheckpointError, match="grows"):
        read_arrays(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(content) < 2**22
    assert peak_bytes < 2**28


def test_a_compressed_file_that_goes_on_is_an_error(read):
    content = gzip.compress(packed(entry("w", variable())))

    for rest in (b"\0", content):
        with pytest.raises(WeightsError, match="end where it should"):
            read(content + rest)


def test_a_compressed_file_that_is_no_archive_is_an_error(read):
    for content in (b"", b"text", bytes(511), b"<html>" * 200, packed(entry("w", b"x" * 40))):
        with pytest.raises(WeightsError):
            read(gzip.compress(content))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        variable()[:20],
        variable() + b"\0",
        variable()[:-1],
        variable(dims=(3,)),
        variable(dims=(2**40,)),
        variable(dims=(2**62, 4)),
        variable(dims=(0, 2**31, 2**31, 2**31), data=b""),
        variable(dims=(-1,)),
        variable(dims=(1,) * 9, data=bytes(4)),
        variable(number_type=7),
        variable(number_type=24),
        variable(number_type=-1),
        variable(desc=b""),
        variable(desc=b"\x08"),
        variable(desc=b"\x08\x05\x10"),
        variable(desc=b"\x08\x05\x12\x01\x02"),
        variable(desc=b"\x08\x05\x10" + b"\xff" * 100),
        variable(desc=b"\x80" * 1_000_000),
        struct.pack("<IQ", 0, 2**63) + bytes(100),
        struct.pack("<IQQ", 0, 1, 2**64 - 1) + bytes(100),
        struct.pack("<IQIi", 0, 0, 0, -1) + bytes(100),
        struct.pack("<IQIi", 0, 0, 0, 2**31 - 1) + bytes(100),
        struct.pack("<IQIi", 1, 0, 0, 4) + bytes(100),
        struct.pack("<IQIi", 0, 0, 1, 4) + bytes(100),
    ],
)
def test_damaged_variables_are_named(content, read):
    with pytest.raises(WeightsError, match="broken: it"):
        read(packed(entry("net/fine", variable()), entry("net/broken", content)))


@pytest.mark.parametrize("content", [packed(), packed(entry("net", type=tarfile.DIRTYPE))])
def test_an_archive_without_variables_is_an_error(content, read):
    with pytest.raises(WeightsError):
        read(content)


def test_links_and_pipes_in_a_folder_are_refused(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(variable())
    makers = {
        "link": lambda path: path.symlink_to(secret),
        "folder link": lambda path: path.symlink_to(tmp_path),
        "dead link": lambda path: path.symlink_to(tmp_path / "nothing"),
        "pipe": os.mkfifo,
    }
    for name, make in makers.items():
        folder = tmp_path / f"with a {name}"
        folder.mkdir()
        (folder / "w").write_bytes(variable())
        make(folder / "bad")
        with pytest.raises(UnsafeCheckpointError, match="no plain file"):
            read_arrays(folder)


def test_a_folder_without_variables_is_an_error(tmp_path):
    with pytest.raises(WeightsError, match="no variable"):
        read_arrays(tmp_path)


def test_strange_files_in_a_folder_are_named(tmp_path):
    (tmp_path / "w").write_bytes(variable())
    (tmp_path / "readme.md").write_text("Hello.")

    with pytest.raises(WeightsError, match=r"readme\.md"):
        read_arrays(tmp_path)


def test_a_folder_has_no_hash(tmp_path):
    (tmp_path / "w").write_bytes(variable())

    with pytest.raises(WeightsError, match="sha256"):
        read_arrays(tmp_path, sha256="0" * 64)
