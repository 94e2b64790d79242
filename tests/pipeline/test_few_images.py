import numpy as np
import pytest
from PIL import Image

from hubcls.errors import UnreadableImagesError
from hubcls.images.decoding import inspect, read_with_pillow
from hubcls.images.glancing import glance
from hubcls.pipeline.building import image_batches
from hubcls.pipeline.few_images import image_batch
from hubcls.preprocessing import Preprocessing

SMALL = Preprocessing(8, 10)


@pytest.mark.parametrize("check", [glance, inspect])
def test_few_images_are_those_of_a_stream(files, check):
    images = [*files.images, read_with_pillow(files.images[1]), Image.open(files.images[0])]

    few = image_batch(images, SMALL, check=check)

    batches, count = image_batches(images, SMALL, 4)
    assert few.dtype == np.uint8
    assert np.array_equal(few, np.concatenate(list(batches.as_numpy_iterator()))[:count])


def test_all_of_few_images_that_cannot_be_read_are_listed(files, tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    images = [tmp_path / "text.jpg", files.images[0], tmp_path / "none.png"]

    with pytest.raises(UnreadableImagesError) as raised:
        image_batch(images, SMALL, check=glance)

    assert [path for path, _ in raised.value.failures] == [str(images[0]), str(images[2])]
