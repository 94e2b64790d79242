"""Published files are found, checked, or missed with a message that helps."""

import dataclasses
import hashlib

import pytest

from hubcls.errors import ChecksumError, DownloadError, OfflineError, WeightsError
from hubcls.home import modules_home
from hubcls.modules import finding
from hubcls.modules.sources.keras_weights import file_of_keras

# Nothing listens on this port of this machine.
NOWHERE = "http://127.0.0.1:9/weights.h5"


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HUBCLS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")


def spec(**changes):
    known = finding.spec("mobilenet_v2_imagenet")
    weights = dataclasses.replace(known.weights, file="weights.h5", urls=(NOWHERE,), **changes)
    return dataclasses.replace(known, weights=weights)


def place(folder, content=b"weights"):
    folder.mkdir(parents=True)
    (folder / "weights.h5").write_bytes(content)
    return folder / "weights.h5"


def test_offline_the_message_says_what_to_do_instead():
    with pytest.raises(OfflineError, match="HUBCLS_OFFLINE") as caught:
        file_of_keras(spec())

    assert "weights=None" in str(caught.value)
    assert "efficientnet_lite0_imagenet" in str(caught.value)


def test_without_a_network_the_message_says_what_to_do_instead(monkeypatch):
    monkeypatch.setenv("HUBCLS_OFFLINE", "0")
    monkeypatch.setattr("hubcls.downloads.fetching._FIRST_WAIT_SECONDS", 0.0)

    with pytest.raises(DownloadError, match=r"127\.0\.0\.1") as caught:
        file_of_keras(spec())

    assert "weights=None" in str(caught.value)


def test_a_file_that_lies_here_needs_no_network():
    path = place(modules_home() / "keras_applications")

    assert file_of_keras(spec()) == path


def test_a_file_that_keras_fetched_is_used_where_it_lies(tmp_path):
    path = place(tmp_path / "keras" / "models")
    digest = hashlib.md5(b"weights", usedforsecurity=False).hexdigest()

    assert file_of_keras(spec(md5=digest)) == path


def test_a_damaged_file_of_keras_is_not_used(tmp_path):
    place(tmp_path / "keras" / "models", b"damaged")
    digest = hashlib.md5(b"weights", usedforsecurity=False).hexdigest()

    with pytest.raises(OfflineError):
        file_of_keras(spec(md5=digest))


def test_other_bytes_than_published_are_refused_and_removed():
    path = place(modules_home() / "keras_applications", b"damaged")

    with pytest.raises(ChecksumError, match="md5"):
        file_of_keras(spec(md5="0" * 32))

    assert not path.exists()


def test_a_module_without_published_weights_says_so():
    bare = dataclasses.replace(spec(), weights=None)

    with pytest.raises(WeightsError, match="weights=None"):
        file_of_keras(bare)
