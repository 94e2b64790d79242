"""Flags: which there are, and that none has a default of its own."""

import dataclasses
import inspect

import pytest

from hubcls.cli.configs import RUN_FLAGS
from hubcls.cli.parsing import build_parser, given
from hubcls.config.tables import DEFAULT_MODULE, SHORT_STRATEGIES, STRATEGIES
from hubcls.modules.finding import names
from hubcls.training.run_config import RunConfig

NOT_ON_THE_COMMAND_LINE = {
    "enable_memory_optim",  # without effect
    "strategy",  # given by --strategy and --learning-rate
    "use_pyreader",  # without effect
}


def parse(*arguments):
    return build_parser().parse_args(arguments)


def test_a_flag_that_was_not_typed_leaves_the_default_to_the_signature():
    arguments = parse("train", "--dataset", "digits", "--num-epoch", "3")

    assert given(arguments, ["num_epoch", "batch_size", "seed"]) == {"num_epoch": 3}


def test_the_default_module_is_in_the_catalogue():
    assert DEFAULT_MODULE in names()


@pytest.mark.parametrize(
    ("flag", "name", "value"),
    [
        ("--use-gpu", "use_cuda", True),
        ("--no-use-gpu", "use_cuda", False),
        ("--no-use-data-parallel", "use_data_parallel", False),
        ("--no-resume", "resume", False),
        ("--resume", "resume", True),
        ("--no-augmentation", "augmentation", False),
    ],
)
def test_switches_turn_on_and_off(flag, name, value):
    arguments = parse("train", "--dataset", "digits", flag)

    assert getattr(arguments, name) is value


def test_every_setting_of_a_run_has_a_flag():
    settings = {field.name for field in dataclasses.fields(RunConfig)}

    assert settings - set(RUN_FLAGS) == NOT_ON_THE_COMMAND_LINE


def test_every_run_flag_is_parsed():
    help_text = {
        action.dest
        for verb in build_parser()._subparsers._group_actions[0].choices.values()
        for action in verb._actions
    }

    assert set(RUN_FLAGS) <= help_text


@pytest.mark.parametrize("name", SHORT_STRATEGIES)
def test_every_strategy_takes_a_learning_rate(name):
    strategy = STRATEGIES[name]

    assert "learning_rate" in inspect.signature(strategy).parameters
    assert strategy(learning_rate=0.5).learning_rate == 0.5


@pytest.mark.parametrize(("short", "name"), SHORT_STRATEGIES.items())
def test_a_short_name_stands_for_the_class_of_its_long_one(short, name):
    assert STRATEGIES[short] is STRATEGIES[name]
    assert STRATEGIES[short].__name__ == name


def test_predict_prints_one_form_at_a_time():
    with pytest.raises(SystemExit):
        parse("predict", "a.jpg", "--checkpoint", "ckpt", "--json", "--csv")
