"""Files and overrides become one tree, or one message with every place."""

import pytest

from hubcls.config.building import read_config
from hubcls.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run:\n\tseed: 1\n", "x.yaml:2: a tab in front of the text; indent with spaces"),
        ("run: {seed: 1\n", "x.yaml:2: "),
        ("- run\n", "x.yaml:1: a config is a mapping of sections"),
        ("just text\n", "x.yaml:1: a config is a mapping of sections"),
        ("run: &a {seed: 1}\n", "x.yaml:1: anchors, aliases and tags"),
        ("run:\n  seed: !!python/name:os.system\n", "x.yaml:2: anchors, aliases and tags"),
        ("run:\n  seed: 1\n  seed: 2\n", "x.yaml:3: 'seed' stands twice in run"),
        ("run: {seed: 1}\nrun: {seed: 2}\n", "x.yaml:2: 'run' stands twice in the config"),
        ("strategy:\n  name: auto\n  name: l2sp\n", "x.yaml:3: 'name' stands twice in strategy"),
        ("run: 5\n", "x.yaml:1: run must be a mapping of arguments"),
        ("run: {1: 2}\n", "x.yaml:1: run has no key '1'"),
        ("? [a]\n: 1\n", "x.yaml:1: a key of the config must be text"),
        ("run: {[a]: 1}\n", "x.yaml:1: a key of run must be text"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2: "),
        ("\x00", "x.yaml"),
        ("[" * 5000, "x.yaml"),
    ],
)
def test_what_is_no_config_is_told_with_its_line(refused, text, message):
    assert message in refused(text)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere.yaml cannot be read"):
        read_config(tmp_path / "nowhere.yaml")

    (tmp_path / "latin.yaml").write_bytes(b"run: {checkpoint_dir: caf\xe9}")
    with pytest.raises(ConfigError, match=r"latin.yaml cannot be read"):
        read_config(tmp_path / "latin.yaml")


def test_an_empty_file_has_all_defaults(read):
    assert read("").values() == read("run:\nstrategy: auto\n").values()


@pytest.mark.parametrize(
    ("override", "section", "key", "value"),
    [
        ("strategy.learning_rate=3e-4", "strategy", "learning_rate", 3e-4),
        ("run.seed=010", "run", "seed", 10),
        ("run.ema=", "run", "ema", None),
        ("run.class_weights={no: 1, yes: 2}", "run", "class_weights", {"no": 1.0, "yes": 2.0}),
        ("run.checkpoint_dir=2026-01-31", "run", "checkpoint_dir", "2026-01-31"),
        ("module.input_size=[64, 96]", "module", "input_size", [64, 96]),
        ("strategy=l2sp", "strategy", "name", "L2SPFinetuneStrategy"),
        ("task.metrics_choices=[acc, f1]", "task", "metrics_choices", ["acc", "f1"]),
        ("task.metrics_choices=f1", "task", "metrics_choices", "f1"),
    ],
)
def test_an_override_has_yaml_values(read, override, section, key, value):
    assert read("", override).values()[section][key] == value


def test_an_override_wins_over_the_file_and_a_later_one_over_an_earlier(read):
    config = read("run: {batch_size: 8, seed: 3}\n", "run.batch_size=9", "run.batch_size=10")

    assert (config.run.batch_size, config.run.seed) == (10, 3)


def test_an_override_reaches_into_a_nested_call(read):
    values = read("", "pipeline.augmentation.min_area=0.5").values()

    assert values["pipeline"]["augmentation"]["min_area"] == 0.5
    assert values["pipeline"]["augmentation"]["horizontal_flip"] is True


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("run.sed=1", "-o run.sed=1: run has no key 'sed'; did you mean: seed?"),
        ("rum.seed=1", "-o rum.seed=1: there is no section 'rum'; did you mean: run?"),
        ("run.seed", "-o run.seed: must read section.key=value"),
        ("run..seed=1", "-o run..seed=1: must read section.key=value"),
        ("run.seed=[1", "-o run.seed=[1: the value is no YAML"),
        ("run.seed.x=1", "-o run.seed.x=1: run.seed has no keys to change"),
        ("run.seed=no", "-o run.seed=no: 'seed' must be a whole number, not 'no'"),
    ],
)
def test_a_wrong_override_is_told_as_it_was_typed(refused, override, message):
    assert message in refused("run: {seed: 0}\n", override)
