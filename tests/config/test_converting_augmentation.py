"""PaddleClas' operations on training images become `pipeline.augmentation`."""

import pytest

from hubcls.images.operations import operation

FLIP = "        - RandFlipImage:\n            flip_code: 1\n"
GRID_MASK = "        - GridMask:\n            ratio: 0.5\n"
TIMM = "TimmAutoAugment: {config_str: rand-m7-n3-mstd0.5-inc1, interpolation: bicubic}"


@pytest.fixture
def with_operations(convert):
    """PADDLECLAS with these lines in the place of GridMask, and with batch_transform_ops."""

    def of(*lines, batch=()):
        listed = "".join(f"        - {line}\n" for line in lines)
        mixed = "".join(f"        - {line}\n" for line in batch)
        sampler = "    sampler: {name: DistributedBatchSampler, batch_size: 64, drop_last: False, s"
        key = "      batch_transform_ops:\n" if batch else ""
        return convert(
            (GRID_MASK, listed), (f"{sampler}huffle: True", f"{key}{mixed}{sampler}huffle: True")
        )

    return of


def operations_of(conversion):
    return conversion.values["pipeline"]["augmentation"].get("operations", [])


def gaps_of(conversion):
    return [line for line in conversion.not_mapped if "transform_ops" in line]


@pytest.mark.parametrize(
    ("line", "ours"),
    [
        ("AutoAugment:", {"name": "auto_augment"}),
        ("ImageNetPolicy", {"name": "auto_augment"}),
        (
            "RandAugment: {num_layers: 3, magnitude: 7}",
            {"name": "rand_augment", "num_operations": 3, "magnitude": 7},
        ),
        ("RandAugment:", {"name": "rand_augment", "num_operations": 2, "magnitude": 5}),
        ("Cutout: {n_holes: 1, length: 48}", {"name": "cutout", "size": 0.25}),
        ("HideAndSeek:", {"name": "hide_and_seek"}),
        (
            "GridMask: {d1: 96, d2: 192, ratio: 0.6, mode: 1, prob: 0.8}",
            {
                **{"name": "grid_mask", "ratio": 0.6, "probability": 0.8},
                **{"min_period": 0.5, "max_period": 1.0},
            },
        ),
        (
            "RandomErasing: {EPSILON: 0.25, sl: 0.02, sh: 1.0/4.0, r1: 0.5, mode: pixel}",
            {
                **{"name": "random_erasing", "probability": 0.25},
                **{"min_area": 0.02, "max_area": 0.25, "min_aspect": 0.5},
            },
        ),
        (
            "ColorJitter: {brightness: 0.2, hue: 0.1}",
            {
                **{"name": "color_jitter", "brightness": 0.2},
                **{"contrast": 0, "saturation": 0, "hue": 0.1},
            },
        ),
    ],
)
def test_an_operation_keeps_its_values(with_operations, line, ours):
    conversion = with_operations(line)

    assert operations_of(conversion) == [ours]
    assert gaps_of(conversion) == []
    assert operation(ours).mixes_targets is False


def test_random_erasing_without_a_mode_shows_the_mean_colour(with_operations):
    assert operations_of(with_operations("RandomErasing:")) == [
        {
            **{"name": "random_erasing", "probability": 0.5},
            **{"min_area": 0.02, "max_area": 0.4, "min_aspect": 0.3, "fill": [124, 116, 104]},
        }
    ]


@pytest.mark.parametrize(
    ("line", "gap"),
    [
        ("Cutout: {n_holes: 2}", "Cutout.n_holes: 2"),
        ("GridMask:", "GridMask.mode: 0"),
        ("RandomErasing: {mode: rand}", "RandomErasing.mode: rand"),
        ("RandomErasing: {use_log_aspect: True}", "RandomErasing.use_log_aspect: True"),
        ("Pad: {padding: 10}", "Pad.padding: 10"),
        ("Pad:", "Pad: None"),
        ("Cutout: {length: wide}", "Cutout.length: wide"),
        ("ColorJitter: {prob: 0.3}", "ColorJitter.prob: 0.3"),
        ("AugMix: {prob: 1.0, aug_prob_coeff: 1.0}", "AugMix.mixture_depth: 1"),
    ],
)
def test_what_an_operation_does_otherwise_is_listed(with_operations, line, gap):
    gaps = gaps_of(with_operations(line))

    assert gaps == [f"DataLoader.Train.dataset.transform_ops.{gap}"]


def test_timms_policy_becomes_the_nearest_and_is_listed(with_operations):
    conversion = with_operations(TIMM)

    assert operations_of(conversion) == [
        {"name": "rand_augment", "magnitude": 7, "num_operations": 3}
    ]
    assert ["config_str: rand-m7-n3-mstd0.5-inc1" in gap for gap in gaps_of(conversion)] == [True]


def test_one_of_several_batch_operations_keeps_its_probabilities(with_operations):
    sampler = "OpSampler: {MixupOperator: {alpha: 0.8, prob: 0.5}, CutmixOperator: {prob: 0.3}}"

    conversion = with_operations("AutoAugment:", batch=[sampler])

    mixing = {
        "name": "one_of",
        "operations": [{"name": "mixup", "alpha": 0.8}, {"name": "cutmix", "alpha": 0.2}],
        "probabilities": [0.5, 0.3],
    }
    assert operations_of(conversion) == [{"name": "auto_augment"}, mixing]
    assert gaps_of(conversion) == []
    assert conversion.problems == ()


def test_operations_keep_their_order_and_none_is_lost(with_operations):
    conversion = with_operations("Cutout:", "AutoAugment:", "Cutout: {length: 48}")

    assert [one["name"] for one in operations_of(conversion)] == [
        *("cutout", "auto_augment", "cutout")
    ]


def test_a_crop_keeps_its_ranges_and_interpolation(convert):
    crop = "size: 224\n            scale: [0.5, 1]\n            ratio: [1, 1]"
    conversion = convert(
        ("            size: 224\n", f"            {crop}\n            interpolation: bicubic\n")
    )

    pipeline = conversion.values["pipeline"]
    assert pipeline["augmentation"]["min_area"] == 0.5
    assert pipeline["augmentation"]["min_aspect"] == pipeline["augmentation"]["max_aspect"] == 1
    assert pipeline["augmentation"]["interpolation"] == "bicubic"
    assert "interpolation" not in pipeline  # which is evaluation's, too


def test_without_crop_and_flip_there_is_none(convert):
    crop = "        - RandCropImage:\n            size: 224\n"

    augmentation = convert((crop, ""), (FLIP, "")).values["pipeline"]["augmentation"]

    assert augmentation["min_area"] == 1.0
    assert augmentation["horizontal_flip"] is False


def test_a_normalisation_that_is_not_the_modules_is_a_problem(convert):
    conversion = convert(("mean: [0.485, 0.456, 0.406]", "mean: [0.5, 0.5, 0.5]"))

    assert "at odds with the module" in "\n".join(conversion.problems)


def test_the_sampler_of_repeated_augmentation_becomes_repeats(convert):
    conversion = convert(
        (
            "name: DistributedBatchSampler, batch_size: 64, drop_last: False, shuffle: True",
            "name: RepeatedAugSampler, batch_size: 64, drop_last: False, shuffle: True",
        )
    )

    assert conversion.values["pipeline"]["augmentation"]["repeats"] == 3
    assert conversion.problems == ()
