"""hubcls profile: the parts of a step, and TensorBoard's files."""

import pytest

from hubcls.cli.main import main
from hubcls.cli.profile import table
from hubcls.errors import ConfigError
from hubcls.training.profiling import StepProfile, _differences, profile_steps


def test_a_step_is_taken_apart_and_traced(network, photos, tmp_path, capsys):
    out = tmp_path / "trace"

    code = main(
        ["profile", "-o", f"module.directory={network}", "--dataset", str(photos),
         "--batch-size", "4", "--steps", "2", "--out", str(out)]
    )  # fmt: skip

    printed = capsys.readouterr().out
    assert code == 0
    heads = [line.split("  ")[0] for line in printed.splitlines() if line]
    assert heads[0] == "training through all layers"
    assert heads[1:7] == ["part", "input wait", "forward", "backward", "update", "step"]
    assert "images/s in batches of 4" in printed
    [trace] = out.glob("plugins/profile/*/*.xplane.pb")
    assert trace.stat().st_size > 0


def test_shares_are_of_the_whole_step():
    seconds = {"input wait": 0.0, "forward": 0.01, "backward": 0.025, "update": 0.015}

    lines = table(StepProfile(8, "from features of top", seconds, None)).splitlines()

    assert lines[0] == "training from features of top"
    assert lines[3:8] == [
        "input wait   0.0     0%",
        "forward     10.0    20%",
        "backward    25.0    50%",
        "update      15.0    30%",
        "step        50.0   100%",
    ]
    assert lines[9] == "160.0 images/s in batches of 8"


def test_parts_add_up_to_the_step_even_where_chance_made_one_slower_than_the_whole():
    parts = _differences(0.05, 0.06, 0.03, 0.04)

    assert parts == {"input wait": 0.0, "forward": 0.03, "backward": 0.0, "update": 0.05 - 0.03}
    assert sum(parts.values()) == pytest.approx(0.05)


def test_a_profile_of_no_steps_is_refused():
    with pytest.raises(ConfigError, match="at least 1 step"):
        profile_steps(None, num_steps=0)
