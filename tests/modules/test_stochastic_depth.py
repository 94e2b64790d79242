"""`Module(stochastic_depth=…)` sets the rates of the residual sums, and nothing else."""

import keras
import numpy as np
import pytest

import hubcls
from hubcls.backbones.layers import ResidualSum
from hubcls.errors import ConfigError

NAME = "resnet20_cifar"
IMAGES = np.random.default_rng(0).uniform(0, 255, (6, 16, 16, 3)).astype(np.float32)
# One of each file of hubcls/backbones that sums residual branches, with its number of sums.
OTHERS = {
    "darknet53_imagenet": 23,
    "deit_tiny_patch16_224_imagenet": 24,
    "dla34_imagenet": 12,
    "dpn68_imagenet": 22,
    "ghostnet_x0_5_imagenet": 16,
    "hrnet18_imagenet": 112,
    "levit_128s_imagenet": 20,
    "rednet26_imagenet": 8,
    "resnet_v2_18_imagenet": 8,
    "rexnet_1_0_imagenet": 11,
    "swin_transformer_tiny_patch4_window7_224_imagenet": 24,
    "tnt_small_imagenet": 48,
    "twins_pcpvt_small_imagenet": 32,
    "xception41_imagenet": 12,
}


def residual(**arguments):
    return hubcls.Module(name=NAME, weights=None, input_size=16, **arguments)


def rates_of(backbone):
    return [layer.rate for layer in backbone.layers if isinstance(layer, ResidualSum)]


@pytest.fixture(scope="module")
def dropping():
    return residual(stochastic_depth=0.9)


def test_rates_rise_in_a_line_to_the_last_block(dropping):
    np.testing.assert_allclose(rates_of(dropping.backbone), np.arange(1, 10) / 10)


def test_without_it_all_rates_are_0():
    assert rates_of(residual().backbone) == [0.0] * 9


def test_layers_and_groups_and_what_is_inferred_are_those_of_the_plain_network(dropping):
    plain = residual()
    plain.backbone.set_weights(dropping.backbone.get_weights())

    assert dropping.layer_groups == plain.layer_groups
    np.testing.assert_array_equal(dropping.backbone(IMAGES), plain.backbone(IMAGES))


def test_training_drops_anew_at_every_call(dropping):
    first, second = (np.asarray(dropping.backbone(IMAGES, training=True)) for _ in range(2))

    assert np.abs(first - second).max() > 0


def test_weights_from_a_file_are_kept(dropping, tmp_path):
    dropping.backbone.save(tmp_path / "own.keras")

    loaded = hubcls.Module(
        name=NAME, weights=tmp_path / "own.keras", input_size=16, stochastic_depth=0.5
    )

    assert rates_of(loaded.backbone)[-1] == 0.5
    np.testing.assert_array_equal(loaded.backbone(IMAGES), dropping.backbone(IMAGES))


def test_a_network_that_others_build_is_refused():
    module = hubcls.Module(name="vgg11_imagenet", weights=None, stochastic_depth=0.1)

    with pytest.raises(ConfigError, match="vgg11_imagenet has no residual sums"):
        _ = module.backbone


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, "0.1"])
def test_a_rate_that_is_no_share_is_refused(rate):
    with pytest.raises(ConfigError, match=r"must be in \[0, 1\)"):
        residual(stochastic_depth=rate)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "num_sums"), OTHERS.items(), ids=OTHERS)
def test_every_architecture_with_residual_branches_has_them(name, num_sums):
    module = hubcls.Module(name=name, weights=None, stochastic_depth=0.2)

    rates = rates_of(module.backbone)
    keras.backend.clear_session()

    np.testing.assert_allclose(rates, 0.2 * np.arange(1, num_sums + 1) / num_sums)
