"""The stored keys and shapes of checkpoints are read back as they were."""

import pytest
from checkpoint_keys import LIBRARIES, keys_of, models

ALEXNET = {
    "features.0.weight": (64, 3, 11, 11),
    "features.0.bias": (64,),
    "features.3.weight": (192, 64, 5, 5),
    "features.3.bias": (192,),
    "features.6.weight": (384, 192, 3, 3),
    "features.6.bias": (384,),
    "features.8.weight": (256, 384, 3, 3),
    "features.8.bias": (256,),
    "features.10.weight": (256, 256, 3, 3),
    "features.10.bias": (256,),
    "classifier.1.weight": (4096, 9216),
    "classifier.1.bias": (4096,),
    "classifier.4.weight": (4096, 4096),
    "classifier.4.bias": (4096,),
    "classifier.6.weight": (1000, 4096),
    "classifier.6.bias": (1000,),
}


def test_a_table_has_all_keys_with_their_shapes_in_the_order_of_the_file():
    table = keys_of("torchvision", "alexnet")

    assert list(table.items()) == list(ALEXNET.items())


@pytest.mark.parametrize(
    ("library", "count"),
    [("paddle", 217), ("paddle_static", 89), ("timm", 154), ("torchvision", 12)],
)
def test_every_model_that_a_preset_names_is_there(library, count):
    assert len(models(library)) == count


def test_every_model_has_a_table():
    empty = [
        (library, name)
        for library in LIBRARIES
        for name in models(library)
        if not keys_of(library, name)
    ]

    assert empty == []


def test_a_timm_model_is_found_without_its_tag():
    assert keys_of("timm", "resnet50") == keys_of("timm", "resnet50.tv_in1k")


def test_a_paddle_model_keeps_linear_layers_in_paddles_order():
    assert keys_of("paddle", "ResNet50")["fc.weight"] == (2048, 1000)
    assert keys_of("timm", "resnet50")["fc.weight"] == (1000, 2048)


def test_scalar_counters_have_no_side():
    assert keys_of("timm", "resnet50")["bn1.num_batches_tracked"] == ()


def test_index_buffers_are_kept():
    table = keys_of("paddle", "SwinTransformer_tiny_patch4_window7_224")

    assert "layers.0.blocks.0.attn.relative_position_index" in table


def test_models_of_equal_tensors_share_one_table():
    assert keys_of("paddle", "ResNet50_vd") == keys_of("paddle", "ResNet50_vd_ssld")


@pytest.mark.parametrize(
    ("library", "name"),
    [("timm", "resnet5"), ("paddle", "resnet50"), ("keras", "ResNet50")],
)
def test_an_unknown_model_is_an_error(library, name):
    with pytest.raises(KeyError, match=f"no table of {library}'s '{name}'"):
        keys_of(library, name)
