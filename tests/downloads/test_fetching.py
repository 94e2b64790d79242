import hashlib
import multiprocessing
import os
import signal
import time

import pytest

from hubcls.downloads import fetch
from hubcls.downloads.fetching import forget
from hubcls.errors import ChecksumError, DownloadError, OfflineError

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "kept" / "flowers.tgz"


@pytest.fixture
def url(server):
    server.contents["flowers.tgz"] = CONTENT
    return server.url("flowers.tgz")


def test_a_file_arrives_whole(url, target):
    assert fetch([url], target) == target

    assert target.read_bytes() == CONTENT
    assert not target.with_name("flowers.tgz.part").exists()


def test_a_file_that_is_there_is_not_fetched_again(url, target, server):
    fetch([url], target)

    fetch([url], target)

    assert len(server.requests) == 1


def test_a_cut_connection_is_resumed_where_it_ended(url, target, server, answers):
    server.answers["flowers.tgz"] = [answers.cut_after(30_000), answers.cut_after(5_000)]

    fetch([url], target, sha256=SHA256)

    assert target.read_bytes() == CONTENT
    assert server.ranges_asked_for() == [None, "bytes=30000-", "bytes=35000-"]


def test_many_cuts_are_survived_as_long_as_bytes_arrive(url, target, server, answers):
    server.answers["flowers.tgz"] = [answers.cut_after(10_000)] * 9

    fetch([url], target, sha256=SHA256)

    assert target.read_bytes() == CONTENT


def test_a_later_call_resumes_what_an_earlier_one_left(url, target, server, answers):
    server.answers["flowers.tgz"] = [answers.cut_after(30_000), *[answers.status(503)] * 3]
    with pytest.raises(DownloadError):
        fetch([url], target)

    fetch([url], target)

    assert target.read_bytes() == CONTENT
    assert server.ranges_asked_for()[-1] == "bytes=30000-"


def test_a_killed_process_leaves_a_part_that_the_next_one_resumes(url, target, server, answers):
    server.answers["flowers.tgz"] = [answers.slowly(30)]
    process = multiprocessing.get_context("spawn").Process(target=fetch, args=([url], target))
    process.start()
    part = target.with_name("flowers.tgz.part")
    wait_until(lambda: part.exists() and part.stat().st_size == len(CONTENT) // 2)
    os.kill(process.pid, signal.SIGKILL)
    process.join()

    fetch([url], target, sha256=SHA256)

    assert target.read_bytes() == CONTENT
    assert server.ranges_asked_for() == [None, f"bytes={len(CONTENT) // 2}-"]


def test_a_file_that_changed_or_a_server_without_ranges_starts_over(url, target, server, answers):
    server.answers["flowers.tgz"] = [answers.cut_after(30_000), answers.ignoring_ranges]

    fetch([url], target)

    assert target.read_bytes() == CONTENT
    assert server.requests[1][1]["If-Range"] == '"v1"', "the server can tell that it changed"


def test_a_range_that_starts_elsewhere_is_refused(url, target, server, answers):
    def elsewhere(handler, content):
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 0-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    server.answers["flowers.tgz"] = [answers.cut_after(30_000), elsewhere]

    with pytest.raises(DownloadError, match="instead of 30000-"):
        fetch([url], target)


def test_a_length_that_promises_too_much_never_makes_a_file(url, target, server, answers):
    server.answers["flowers.tgz"] = [answers.claiming(len(CONTENT) + 1)] * 9

    with pytest.raises(DownloadError, match="cut after 102400 of 102401 bytes"):
        fetch([url], target)

    assert not target.exists()


def test_a_length_that_promises_too_little_fails_the_checksum(url, target, server, answers):
    server.answers["flowers.tgz"] = [answers.claiming(len(CONTENT) - 1)] * 9

    with pytest.raises(ChecksumError):
        fetch([url], target, sha256=SHA256)

    assert not target.exists()


def test_a_length_other_than_published_is_refused_before_the_download(url, target):
    with pytest.raises(DownloadError, match="102400 bytes, but 7 are published"):
        fetch([url], target, size_bytes=7)


def test_a_file_without_a_length_arrives_whole(url, target, server, answers):
    server.answers["flowers.tgz"] = [answers.without_length]

    fetch([url], target)

    assert target.read_bytes() == CONTENT


def test_wrong_bytes_are_thrown_away(url, target, server):
    server.contents["flowers.tgz"] = b"<html>please log in</html>"

    with pytest.raises(ChecksumError, match=SHA256):
        fetch([url], target, sha256=SHA256)

    assert not list(target.parent.glob("flowers.tgz.part"))
    assert not target.exists()


def test_wrong_bytes_of_one_mirror_are_made_good_by_the_next(url, target, server):
    server.contents["broken"] = b"other bytes"

    fetch([server.url("broken"), url], target, sha256=SHA256)

    assert target.read_bytes() == CONTENT


def test_a_part_of_one_mirror_is_never_continued_from_another(url, target, server, answers):
    server.contents["first"] = b"x" * len(CONTENT)
    server.answers["first"] = [answers.cut_after(30_000), answers.status(404)]

    fetch([server.url("first"), url], target)

    assert target.read_bytes() == CONTENT


def test_a_missing_file_is_asked_for_once_at_each_mirror(target, server):
    with pytest.raises(DownloadError, match="HTTP 404") as raised:
        fetch([server.url("a"), server.url("b")], target)

    assert [name for name, _ in server.requests] == ["a", "b"]
    assert str(target) in str(raised.value), "it says where to put the file by hand"


def test_a_server_error_is_asked_again(url, target, server, answers):
    server.answers["flowers.tgz"] = [answers.status(500), answers.status(503)]

    fetch([url], target)

    assert target.read_bytes() == CONTENT


def test_a_server_that_only_errs_is_given_up(url, target, server, answers):
    server.answers["flowers.tgz"] = [answers.status(500)] * 9

    with pytest.raises(DownloadError, match="HTTP 500"):
        fetch([url], target)

    assert len(server.requests) == 3


def test_a_redirect_is_followed_also_when_resuming(url, target, server, answers):
    moved = server.url("moved")
    server.contents["moved"] = CONTENT
    server.answers["flowers.tgz"] = [answers.redirecting(moved)] * 2
    server.answers["moved"] = [answers.cut_after(30_000)]

    fetch([url], target)

    assert target.read_bytes() == CONTENT
    assert server.ranges_asked_for()[-1] == "bytes=30000-"


def test_a_redirect_to_a_local_file_is_not_followed(url, target, server, answers):
    server.answers["flowers.tgz"] = [answers.redirecting("file:///etc/hostname")] * 9

    with pytest.raises(DownloadError):
        fetch([url], target)


def test_a_redirect_that_goes_in_circles_ends(url, target, server, answers):
    server.answers["flowers.tgz"] = [answers.redirecting(url)] * 99

    with pytest.raises(DownloadError):
        fetch([url], target)


def test_nobody_listening_is_an_error_that_names_the_address(target):
    with pytest.raises(DownloadError, match=r"http://127\.0\.0\.1:9/x"):
        fetch(["http://127.0.0.1:9/x"], target)


def test_only_http_is_fetched(target):
    with pytest.raises(DownloadError, match="only http"):
        fetch(["file:///etc/hostname"], target)


def test_offline_never_asks_the_network(url, target, server, monkeypatch):
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")

    with pytest.raises(OfflineError, match="HUBCLS_OFFLINE"):
        fetch([url], target)

    assert server.requests == []


def test_offline_uses_the_file_that_is_there(url, target, monkeypatch):
    fetch([url], target)
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")

    assert fetch([url], target, sha256=SHA256) == target


def test_a_file_copied_by_hand_is_taken_when_its_hash_is_right(url, target, server):
    target.parent.mkdir()
    target.write_bytes(CONTENT)

    fetch([url], target, sha256=SHA256)

    assert server.requests == []


def test_a_damaged_file_is_fetched_again(url, target):
    target.parent.mkdir()
    target.write_bytes(CONTENT[:-1])

    fetch([url], target, sha256=SHA256)

    assert target.read_bytes() == CONTENT


def test_the_first_hash_is_trusted_and_must_stay(url, target, server):
    fetch([url], target)
    target.unlink()
    server.contents["flowers.tgz"] = CONTENT[::-1]

    with pytest.raises(ChecksumError, match=SHA256):
        fetch([url], target)

    forget(target)
    assert fetch([url], target).read_bytes() == CONTENT[::-1]


def test_two_processes_share_one_download(url, target, server, answers):
    server.answers["flowers.tgz"] = [answers.slowly(0.5)]
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=fetch, args=([url], target)) for _ in range(2)]

    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0]
    assert len(server.requests) == 1
    assert target.read_bytes() == CONTENT


def test_a_full_disk_is_known_before_the_download(url, target, server, answers):
    server.answers["flowers.tgz"] = [answers.claiming(1 << 60)]

    with pytest.raises(DownloadError, match="are free"):
        fetch([url], target)


def test_a_folder_that_cannot_be_made_is_a_download_error(url, tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(DownloadError, match="cannot be written"):
        fetch([url], tmp_path / "file" / "flowers.tgz")


def wait_until(is_true):
    deadline = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
