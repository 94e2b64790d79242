import io
import stat
import tarfile
import zipfile

import pytest

from hubcls.downloads import extract
from hubcls.errors import ArchiveError

FILES = {"flowers/roses/1.jpg": b"a rose" * 1000, "flowers/label_list.txt": b"roses\n"}


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.bz2", "tar.xz", "zip"])
def test_every_kind_of_archive_is_unpacked(kind, tmp_path):
    archive = make_archive(tmp_path / f"flowers.{kind}", FILES)

    folder = extract(archive, tmp_path / "deep" / "flowers")

    assert contents(folder) == FILES


def test_the_kind_is_read_from_the_bytes_not_from_the_name(tmp_path):
    archive = make_archive(tmp_path / "flowers.zip", FILES).rename(tmp_path / "flowers.tgz")

    assert contents(extract(archive, tmp_path / "flowers")) == FILES


def test_names_that_start_with_a_dot_and_slash_are_plain_names(tmp_path):
    archive = make_archive(tmp_path / "a.tar", {"./flowers/1.jpg": b"1"})

    assert contents(extract(archive, tmp_path / "out")) == {"flowers/1.jpg": b"1"}


HOSTILE_NAMES = [
    "../escaped", "flowers/../../escaped", "/escaped", "..\\escaped", "C:\\escaped", "C:escaped"
]  # fmt: skip


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_that_leaves_the_folder_is_refused(kind, name, tmp_path):
    archive = make_archive(tmp_path / f"hostile.{kind}", {"good.jpg": b"good", name: b"bad"})

    with pytest.raises(ArchiveError, match="escaped"):
        extract(archive, tmp_path / "in" / "out")

    assert not list(tmp_path.rglob("escaped"))
    assert list((tmp_path / "in").iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "device"),
    ],
)
def test_a_tar_entry_that_is_no_file_is_refused(kind, word, tmp_path):
    member = tarfile.TarInfo("evil")
    member.type, member.linkname = kind, "/etc/hostname"
    with tarfile.open(tmp_path / "hostile.tar", "w") as tar:
        tar.addfile(member)

    with pytest.raises(ArchiveError, match=f"'evil' is a {word}"):
        extract(tmp_path / "hostile.tar", tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_file_is_not_written_through_a_link_of_the_archive(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    with tarfile.open(tmp_path / "hostile.tar", "w") as tar:
        link = tarfile.TarInfo("door")
        link.type, link.linkname = tarfile.SYMTYPE, str(outside)
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo("door/escaped"), io.BytesIO())

    with pytest.raises(ArchiveError):
        extract(tmp_path / "hostile.tar", tmp_path / "out")

    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR])
def test_a_zip_entry_that_is_no_file_is_refused(mode, tmp_path):
    entry = zipfile.ZipInfo("evil")
    entry.external_attr = (mode | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "hostile.zip", "w") as archive:
        archive.writestr(entry, "/etc/hostname")

    with pytest.raises(ArchiveError, match="'evil' is a"):
        extract(tmp_path / "hostile.zip", tmp_path / "out")


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.bz2", "tar.xz", "zip"])
def test_a_truncated_archive_leaves_no_folder(kind, tmp_path):
    archive = make_archive(tmp_path / f"flowers.{kind}", {"flowers/1.jpg": bytes(range(256)) * 99})
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])

    with pytest.raises(ArchiveError, match="broken or no archive"):
        extract(archive, tmp_path / "in" / "out")

    assert list((tmp_path / "in").iterdir()) == []


def test_a_flipped_bit_is_found_by_the_checksum_of_the_stream(tmp_path):
    archive = make_archive(tmp_path / "flowers.tar.gz", FILES)
    damaged = bytearray(archive.read_bytes())
    damaged[-6] ^= 1
    archive.write_bytes(damaged)

    with pytest.raises(ArchiveError):
        extract(archive, tmp_path / "out")


def test_a_web_page_is_no_archive(tmp_path):
    (tmp_path / "flowers.tgz").write_text("<html>please log in</html>")

    with pytest.raises(ArchiveError, match="broken or no archive"):
        extract(tmp_path / "flowers.tgz", tmp_path / "out")


def test_an_encrypted_zip_is_refused(tmp_path):
    archive = make_archive(tmp_path / "flowers.zip", FILES)
    damaged = archive.read_bytes()
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = damaged.index(signature) + offset
        damaged = damaged[:place] + b"\x01" + damaged[place + 1 :]
    archive.write_bytes(damaged)

    with pytest.raises(ArchiveError, match="encrypted"):
        extract(archive, tmp_path / "out")


def test_a_folder_that_exists_is_never_written_into(tmp_path):
    archive = make_archive(tmp_path / "flowers.tar", FILES)
    (tmp_path / "out").mkdir()

    with pytest.raises(ArchiveError, match="exists already"):
        extract(archive, tmp_path / "out")


def test_an_archive_larger_than_the_disk_is_refused(tmp_path, monkeypatch):
    archive = make_archive(tmp_path / "bomb.tar.gz", {"zeros": bytes(1 << 20)})
    monkeypatch.setattr("hubcls.downloads.extracting._RESERVE_BYTES", 1 << 62)

    with pytest.raises(ArchiveError, match="more than the disk"):
        extract(archive, tmp_path / "out")


def make_archive(path, files):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return path
    mode = {".gz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w")
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
