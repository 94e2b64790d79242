"""Every section is one call, checked against the signature; all problems come at once."""

import inspect

import pytest
import yaml

from hubcls.config.checking import SECTIONS
from hubcls.config.tables import SHORT_STRATEGIES, SHORT_TASKS, STRATEGIES, TASKS
from hubcls.errors import ConfigError
from hubcls.typed_yaml import dump

WRONG = """\
module:
  name: efficientnet_light0_imagenet
dataset:
  name: digits
  train_exampels: 40
pipeline:
  augmentation: {min_area: 2}
strategy:
  name: l2spp
run:
  batch_size: many
  num_epok: 3
  resume: 1
task:
  hidden_units: [64, wide]
extras: {}
"""


def test_all_errors_of_a_file_and_of_overrides_come_at_once_with_their_places(refused):
    message = refused(WRONG, "run.seed=1.5", "task.dropuot=0.1")

    assert message.startswith("11 things are wrong:\n")
    for line in (
        "x.yaml:5: dataset (Digits) has no key 'train_exampels'; did you mean: train_examples",
        "x.yaml:7: 'augmentation': augmentation is wrong:",
        "x.yaml:9: no strategy is called 'l2spp'.",
        "x.yaml:11: 'batch_size' must be a whole number, not 'many'",
        "x.yaml:12: run has no key 'num_epok'; did you mean: num_epoch",
        "x.yaml:13: 'resume' must be true or false or one of auto, not 1",
        "x.yaml:15: item 2 of 'hidden_units' must be a whole number, not 'wide'",
        "x.yaml:16: there is no section 'extras'",
        "-o run.seed=1.5: 'seed' must be a whole number, not 1.5",
        "-o task.dropuot=0.1: task (ImageClassifierTask) has no key 'dropuot'",
        "x.yaml:2: module: no module is called 'efficientnet_light0_imagenet'.",
    ):
        assert line in message


def test_what_constructors_refuse_is_told_with_the_line_of_the_section(refused):
    message = refused(
        "strategy:\n  layer_decay: 7\nrun:\n  seed: -1\n  ema: 2\npipeline:\n  image_width: 8\n"
    )

    assert "x.yaml:2: strategy: AutoFinetuneStrategy is given wrong values" in message
    assert "x.yaml:4: run: RunConfig is wrong" in message
    assert "seed must be a whole number of at least 0" in message
    assert "ema must be a momentum" in message
    assert "x.yaml:7: pipeline: the reader is wrong" in message


def test_an_unknown_data_set_lists_the_nearest(refused):
    message = refused("run: {}\ndataset: flower\n")

    assert "x.yaml:2: no data set is called 'flower'" in message
    assert "flowers" in message


def test_a_data_set_without_a_name_is_told(refused):
    assert "x.yaml:1: dataset lacks a name" in refused("dataset: {train_examples: 3}\n")


def test_options_of_the_optimizer_pass_through_the_strategy(read, refused):
    text = "strategy: {name: default, optimizer_name: sgd, momentum: 0.9}\n"

    assert read(text).run.strategy.describe()["momentum"] == 0.9
    assert "nesterow" in refused(text, "strategy.nesterow=true")


@pytest.mark.parametrize("short", SHORT_STRATEGIES)
def test_the_printed_config_is_one_that_reads_back_the_same(read, short):
    values = read("dataset: digits\n", f"strategy={short}", "run.class_weights=balanced").values()

    again = read(dump(values)).values()

    assert again == values
    assert list(values) == list(SECTIONS)
    assert yaml.safe_load(dump(values)) == values


@pytest.mark.parametrize("name", SHORT_STRATEGIES)
def test_the_printed_config_has_every_argument_with_its_default(read, name):
    signature = inspect.signature(STRATEGIES[name])
    section = read("", f"strategy={name}").values()["strategy"]

    defaults = {
        key: item.default
        for key, item in signature.parameters.items()
        if item.kind is not item.VAR_KEYWORD
    }

    assert section == {"name": STRATEGIES[name].__name__, **defaults}


def test_text_that_looks_like_a_number_keeps_its_quotes(read):
    values = read("run: {checkpoint_dir: '1e-4'}\n").values()

    assert read(dump(values)).values()["run"]["checkpoint_dir"] == "1e-4"


def test_settings_inside_of_a_section_are_checked_too(read):
    with pytest.raises(ConfigError, match=r"no key 'min_aera'; did you mean: min_area"):
        read("dataset: digits\npipeline:\n  augmentation: {min_aera: 0.5}\n")


def test_a_data_set_of_tensorflow_datasets_takes_the_functions_arguments(read):
    with pytest.raises(ConfigError, match=r"no key 'split'; did you mean: splits"):
        read("dataset: {name: 'tfds:beans', split: train}\n")

    config = read("dataset: {name: 'tfds:beans', splits: {train: 'train[:9%]'}}\n")
    assert config.values()["dataset"]["splits"] == {"train": "train[:9%]"}
    assert config.values()["dataset"]["on_error"] == "raise"


@pytest.mark.parametrize("name", TASKS)
def test_tasks_of_the_table_are_called_as_their_class(name):
    assert TASKS[name].__name__ == SHORT_TASKS.get(name, name)
