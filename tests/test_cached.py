import os
import time

import pytest

from hubcls.cached import cache_limit, make_room
from hubcls.errors import ConfigError


@pytest.mark.parametrize("limit", ["much", "-1", "nan"])
def test_a_limit_that_is_no_number_is_an_error(limit, monkeypatch):
    monkeypatch.setenv("HUBCLS_CACHE_GB", limit)

    with pytest.raises(ConfigError, match="HUBCLS_CACHE_GB"):
        cache_limit()


def test_features_and_decoded_images_share_one_limit(tmp_path, monkeypatch):
    monkeypatch.setenv("HUBCLS_HOME", str(tmp_path))
    monkeypatch.setenv("HUBCLS_CACHE_GB", "2.5e-6")
    images, shelf = tmp_path / "cache" / "images", tmp_path / "cache" / "features" / "shelf"
    shelf.mkdir(parents=True)
    for age, name in enumerate(["oldest", "younger"]):
        (images / name).mkdir(parents=True)
        (images / name / "pixels").write_bytes(bytes(1000))
        os.utime(images / name, (2 * age, 2 * age))
    for name, content in (("pair.rows", bytes(960)), ("pair.keys", bytes(40))):
        (shelf / name).write_bytes(content)
        os.utime(shelf / name, (1, 1))

    make_room()

    left = {path.name for path in [*images.iterdir(), *shelf.iterdir()]}
    assert left == {"younger", "pair.rows", "pair.keys"}


def test_a_folder_that_is_being_filled_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("HUBCLS_HOME", str(tmp_path))
    monkeypatch.setenv("HUBCLS_CACHE_GB", "0")
    for name, moment in ((".filled.new", time.time()), (".left.new", 0)):
        folder = tmp_path / "cache" / "images" / name
        folder.mkdir(parents=True)
        (folder / "pixels").write_bytes(bytes(1000))
        os.utime(folder, (moment, moment))

    make_room()

    assert [path.parent.name for path in tmp_path.rglob("pixels")] == [".filled.new"]
