"""The tables of docs/benchmarks.md, written from recorded results."""

import pytest


@pytest.fixture
def table():
    from speed import table

    return table


@pytest.fixture
def speed_rows():
    from speed import rows

    return rows


@pytest.fixture
def task(speed_rows):
    def made(goal, *, unit="s", figure="value", **more):
        names = ("hubcls", "A", "B")
        contestants = tuple(speed_rows.Contestant(name, "x", "x", "its setting") for name in names)
        return speed_rows.Task("T9", "a task", unit, contestants, (goal,), figure=figure, **more)

    return made


@pytest.fixture
def goal(speed_rows):
    def made(kind="faster", bound=2.0, rivals=("A", "B")):
        return speed_rows.Goal("the goal", "hubcls", rivals, bound, kind)

    return made


def rows(ours, a, b):
    return {"hubcls": ours, "A": a, "B": b}


def seconds(*values, **figures):
    return [{"value": value, **figures} for value in values]


def test_the_fastest_rival_counts(table, task, goal):
    results = rows(seconds(1, 2, 9), seconds(8, 8, 8), seconds(6, 6, 6))

    verdict = table.judged(task(goal()), goal(), results)

    assert verdict.reached == 3
    assert verdict.is_met
    assert verdict.words == "3.00× (B: 2.0 s against 6.0)"


def test_more_images_a_second_are_better(table, task, goal):
    results = rows(seconds(30), seconds(10), seconds(20))

    verdict = table.judged(task(goal(), unit="images/s"), goal(), results)

    assert verdict.reached == 1.5
    assert not verdict.is_met


def test_time_counts_until_the_rivals_accuracy_is_there(table, task, goal):
    ours = [{"value": 4, "stamps": [[4, 0.80], [10, 0.90]]}]
    results = rows(ours, seconds(40, accuracy=0.9), seconds(40, accuracy=0.7))

    verdict = table.judged(task(goal("reaches")), goal("reaches"), results)

    assert verdict.words == "4.00× (A: 10.0 s against 40.0)"


def test_four_of_256_images_are_chance(table, task, goal):
    on_256 = task(goal("reaches"), num_scored=256)
    ours = [{"value": 4, "stamps": [[4, 0.883], [5, 0.885], [10, 0.9]]}]

    assert table.own_figure(on_256, goal("reaches"), ours, seconds(40, accuracy=0.9)) == 5


def test_an_accuracy_never_reached_misses_the_goal(table, task, goal):
    ours = [{"value": 4, "stamps": [[4, 0.80]]}]
    results = rows(ours, seconds(400, accuracy=0.9), seconds(400, accuracy=0.8))

    verdict = table.judged(task(goal("reaches")), goal("reaches"), results)

    assert not verdict.is_met
    assert verdict.words == "100.00× (B: 4.0 s against 400.0; never as accurate as A)"

    verdict = table.judged(task(goal("reaches")), goal("reaches"), {**results, "B": results["A"]})

    assert verdict.words == "never as accurate as A, B"


def test_memory_may_differ_both_ways(table, task, goal):
    flat = goal("flat", 200.0, ("A",))
    grown = table.judged(task(flat, unit="MB"), flat, rows(seconds(900), seconds(650), []))
    shrunk = table.judged(task(flat, unit="MB"), flat, rows(seconds(650), seconds(800), []))

    assert (grown.words, grown.is_met) == ("+250 MB", False)
    assert (shrunk.words, shrunk.is_met) == ("-150 MB", True)


def test_a_rival_that_failed_is_named_and_not_counted(table, task, goal):
    results = rows(seconds(1), [{"failed": "exit code 1: no | disk"}], seconds(6))

    text = table.page({"T9": results}, [task(goal())], "facts")

    assert "6.00× (B: 1.0 s against 6.0; without A, which failed)" in text
    assert "| A | failed 1×: exit code 1: no / disk |" in text


def test_our_own_failure_misses_the_goal(table, task, goal):
    results = rows([{"failed": "x"}], seconds(1), seconds(1))

    verdict = table.judged(task(goal()), goal(), results)

    assert (verdict.words, verdict.is_met) == ("hubcls failed", False)


def test_the_page_has_goals_then_rows_with_median_and_spread(table, task, goal):
    results = rows(
        seconds(1, 2, 3, accuracy=0.9123), seconds(20, 30, 40, accuracy=0.5), seconds(60, 60, 61)
    )

    text = table.page({"T9": results}, [task(goal())], "Measured here.")

    assert text.splitlines() == [
        "Measured here.",
        "",
        "| task | goal | measured | |",
        "|---|---|---|---|",
        "| T9 | the goal | 15.00× (A: 2.0 s against 30.0) | met |",
        "",
        "**T9: a task**",
        "",
        "| | s, median (least–most) of 3 rounds | accuracy | how |",
        "|---|---|---|---|",
        "| hubcls | 2.0 (1.0–3.0) | 0.912 | its setting |",
        "| A | 30.0 (20.0–40.0) | 0.500 | its setting |",
        "| B | 60.0 (60.0–61.0) |  | its setting |",
    ]


@pytest.mark.parametrize("form", ["whole", "without_bfloat16", "in_short"])
def test_every_goal_names_rows_of_its_task(speed_rows, form):
    import run
    from speed import tasks

    folders = dict.fromkeys(run.FOLDERS, "x")

    found = tasks.tasks(tasks.FULL, folders)
    if form != "whole":
        found = tuple(getattr(speed_rows, form)(task) for task in found)

    assert len(found) == len({task.key for task in found}) > 6
    for task in found:
        names = {each.name for each in task.contestants}
        assert len(names) == len(task.contestants)
        assert task.goals
        assert all(goal.rivals for goal in task.goals)
        assert all({goal.ours, *goal.rivals} <= names for goal in task.goals)
        has_bfloat16 = any(each.settings.get("bfloat16") for each in task.contestants)
        assert form == "whole" or not has_bfloat16
        assert form != "in_short" or not any(each.is_slow for each in task.contestants)


@pytest.mark.parametrize(
    ("told", "is_there"),
    [
        ("flags\t\t: fpu avx2 avx512_bf16\nbugs\t: bf16", True),
        ("flags\t\t: fpu avx2 fma\n\nflags: amx_bf16", False),
        ("Features\t: fp asimd bf16", True),
    ],
)
def test_bfloat16_is_among_the_flags_of_the_processor(speed_rows, tmp_path, told, is_there):
    facts = tmp_path / "cpuinfo"
    facts.write_text(told, encoding="utf-8")

    assert speed_rows.computes_in_bfloat16(facts) is is_there
    assert speed_rows.computes_in_bfloat16(tmp_path / "none")


def test_speed_that_costs_accuracy_misses_the_goal(table, task, goal):
    results = rows(seconds(1, accuracy=0.8), seconds(9, accuracy=0.805), seconds(8, accuracy=0.85))

    verdict = table.judged(task(goal(), num_scored=1000), goal(), results)

    assert not verdict.is_met
    assert verdict.words == "8.00× (B: 1.0 s against 8.0; less accurate than B)"
