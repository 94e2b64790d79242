"""PaddleClas' schedules, decays and precision become `strategy` and `run`."""

import pytest

SCHEDULE = "    decay_epochs: [30, 60]\n    values: [0.1, 0.01, 0.001]\n"
REGULARIZER = "  regularizer:\n    name: 'L2'\n    coeff: 0.0001\n"


@pytest.fixture
def with_schedule(convert):
    def of(name, lines):
        return convert(
            ("name: Piecewise", f"name: {name}"),
            (SCHEDULE, "".join(f"    {line}\n" for line in lines)),
        )

    return of


@pytest.mark.parametrize(
    ("name", "lines", "schedule"),
    [
        ("Constant", [], "constant"),
        ("Cosine", [], "cosine"),
        ("Cosine", ["eta_min: 1e-3"], {"name": "cosine", "end_factor": 0.01}),
        ("Linear", ["end_lr: 0.05"], {"name": "linear", "end_factor": 0.5}),
        ("Linear", ["power: 2"], {"name": "polynomial", "power": 2}),
        (
            "Step",
            ["step_size: 30", "gamma: 0.5", "by_epoch: True"],
            {"name": "exponential", "factor": 0.5, "epochs": 30},
        ),
        (
            "MultiStepDecay",
            ["milestones: [20, 40]", "gamma: 0.5", "step_each_epoch: 1", "last_epoch: -1"],
            # Theirs count from the end of five epochs of warm-up.
            {"name": "piecewise", "epochs": [25, 45], "factors": [1, 0.5, 0.25]},
        ),
    ],
)
def test_a_schedule_keeps_its_values(with_schedule, name, lines, schedule):
    conversion = with_schedule(name, lines)

    strategy = conversion.values["strategy"]
    assert strategy["schedule"] == schedule
    assert (strategy["learning_rate"], strategy["warmup_epochs"]) == (0.1, 5)
    assert not [line for line in conversion.not_mapped if "Optimizer" in line]
    assert conversion.problems == ()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Cyclic", "name: Cyclic"),
        ("Cosine", "by_epoch: True"),
        ("Cosine", "warmup_start_lr: 0.01"),
        ("Step", "step_size: often"),
    ],
)
def test_what_a_schedule_does_otherwise_is_listed(with_schedule, name, line):
    lines = [] if line.startswith("name") else [line]

    assert f"Optimizer.lr.{line}" in with_schedule(name, lines).not_mapped


@pytest.mark.parametrize(
    ("optimizer", "decay"),
    [("AdamW", "weight_decay"), ("Momentum", "L2"), ("Lamb", "weight_decay")],
)
def test_a_weight_decay_is_decoupled_only_where_theirs_is(convert, optimizer, decay):
    conversion = convert(
        ("name: Momentum", f"name: {optimizer}"), (REGULARIZER, "  weight_decay: 0.05\n")
    )

    assert conversion.values["strategy"]["regularization"] == {decay: 0.05}


def test_weights_that_are_decayed_here_though_not_there_are_listed(convert):
    spared = "norm .bias cls_token relative_position_bias_table"
    conversion = convert((REGULARIZER, f"  no_weight_decay_name: {spared}\n"))

    assert "Optimizer.no_weight_decay_name: cls_token" in conversion.not_mapped


@pytest.mark.parametrize(
    ("section", "run"),
    [
        (
            "{use_amp: False, level: O2, scale_loss: 128.0}",
            {"mixed_precision": "float32"},
        ),
        (
            "{use_amp: True, level: O1, scale_loss: 128.0, use_dynamic_loss_scaling: True}",
            {"mixed_precision": "mixed_float16", "loss_scale": "dynamic"},
        ),
        (
            "{level: O2, scale_loss: 128.0}",
            {"mixed_precision": "mixed_float16", "loss_scale": 128.0},
        ),
    ],
)
def test_mixed_precision_is_on_unless_use_amp_says_no(convert, section, run):
    conversion = convert(("Profiler:", f"AMP: {section}\nProfiler:"))

    assert conversion.values["run"].items() >= run.items()
    assert not [line for line in conversion.not_mapped if line.startswith("AMP")]
    assert conversion.problems == ()


def test_clipping_averaging_accumulation_and_synchronisation_are_taken_over(convert):
    conversion = convert(
        ("  epochs: 90\n", "  epochs: 90\n  update_freq: 4\n  ema: {enable: True, decay: 0.99}\n"),
        ("  momentum: 0.8\n", "  momentum: 0.8\n  clip_norm: 5.0\n"),
        ("  class_num: 2\n", "  class_num: 2\n  use_sync_bn: False\n"),
    )

    values = conversion.values
    assert (
        values["run"].items()
        >= {**{"gradient_accumulation": 4, "ema": 0.99, "sync_batch_norm": False}}.items()
    )
    assert values["strategy"]["clip"] == {"Norm": 5.0}


def test_a_value_that_another_place_names_by_an_alias_is_read(convert):
    conversion = convert(
        ("class_num: 2", "class_num: &count 2"), ("Profiler:", "Extra: *count\nProfiler:")
    )

    assert "Extra: 2" in conversion.not_mapped
