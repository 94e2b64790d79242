import os

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
    for age, name in enumerate(["images/oldest", "features/older", "images/keep"]):
        folder = tmp_path / "cache" / name
        folder.mkdir(parents=True)
        (folder / "pixels").write_bytes(bytes(1000))
        os.utime(folder, (age, age))

    make_room(tmp_path / "cache" / "images" / "keep")

    left = {path.parent.name for path in tmp_path.rglob("pixels")}
    assert left == {"older", "keep"}
