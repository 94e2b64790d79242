import dataclasses

import pytest

import hubcls
from hubcls.errors import ConfigError


def test_fields_stand_in_paddlehubs_order_so_that_positions_mean_the_same():
    positional = [f.name for f in dataclasses.fields(hubcls.RunConfig) if not f.kw_only]

    assert positional == [
        "log_interval",
        "eval_interval",
        "use_pyreader",
        "use_data_parallel",
        "save_ckpt_interval",
        "use_cuda",
        "checkpoint_dir",
        "num_epoch",
        "batch_size",
        "enable_memory_optim",
        "strategy",
    ]


def test_defaults_are_paddlehubs_but_for_intervals_epochs_and_strategy():
    config = hubcls.RunConfig()

    assert (config.log_interval, config.batch_size, config.use_cuda) == (10, 32, True)
    assert (config.use_pyreader, config.use_data_parallel) == (True, True)
    assert (config.save_ckpt_interval, config.enable_memory_optim) == (None, False)


def test_the_default_strategy_is_the_adaptive_one():
    assert isinstance(hubcls.RunConfig().strategy, hubcls.AutoFinetuneStrategy)


def test_the_default_folder_bears_the_time():
    assert hubcls.RunConfig().folder.name.startswith("ckpt_2")


@pytest.mark.parametrize(
    ("field", "value", "right"),
    [
        ("mixed_precision", "float16", "mixed_float16"),
        ("distribution", "multi", "mirrored"),
        ("resume", "yes", "auto"),
        ("batch_size", 0, "at least 1"),
        ("batch_size", 3.5, "whole number"),
        ("num_epoch", -1, "at least 0"),
        ("ema", 1.5, "between 0 and 1"),
        ("label_smoothing", 1.0, "[0, 1)"),
        ("max_seconds", 0, "positive"),
        ("memory_limit_mb", 0, "memory_limit_mb must be a whole number of at least 1"),
        ("decoded_cache", "yes", "decoded_cache must be True or False"),
        ("early_stopping", 0, "at least 1"),
        ("class_weights", "even", "balanced"),
        ("strategy", "adam", "DefaultFinetuneStrategy"),
        ("use_cuda", "no", "True or False"),
        ("seed", 2**32, "below 2**32"),
        ("checkpoint_dir", 5, "a path or None"),
        ("class_weights", {"a": float("nan")}, "numbers of at least 0"),
    ],
)
def test_a_wrong_value_is_an_error_that_tells_the_right_ones(field, value, right):
    with pytest.raises(ConfigError) as error:
        hubcls.RunConfig(**{field: value})

    assert field in str(error.value)
    assert right in str(error.value)


def test_all_wrong_values_are_reported_at_once():
    with pytest.raises(ConfigError) as error:
        hubcls.RunConfig(batch_size=0, seed=-1, mixed_precision="half")

    assert all(name in str(error.value) for name in ("batch_size", "seed", "mixed_precision"))


def test_settings_that_hubcls_added_are_keyword_only():
    with pytest.raises(TypeError):
        hubcls.RunConfig(10, 100, True, True, None, True, "ckpt", 1, 32, False, None, "float32")


def test_as_dict_is_plain_yaml():
    import yaml

    text = yaml.safe_dump(hubcls.RunConfig(class_weights={"a": 1.0}).as_dict())

    assert yaml.safe_load(text)["class_weights"] == {"a": 1.0}
