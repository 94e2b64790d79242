import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hubcls
from hubcls.errors import CheckpointError

SCRIPT = Path(__file__).with_name("killable_run.py")
TOTAL_STEPS = 21


def run(folder, result, *, kill_after=None):
    """Run the script; SIGKILL it after that many steps of its own; give its steps."""
    process = subprocess.Popen(
        [sys.executable, SCRIPT, folder, result],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    steps = []
    for line in process.stdout:
        if line.startswith("step "):
            steps.append(int(line.split()[1]))
            if len(steps) == kill_after:
                process.send_signal(signal.SIGKILL)
    errors = process.stderr.read()
    assert process.wait() == (0 if kill_after is None else -signal.SIGKILL), errors[-3000:]
    return steps


@pytest.mark.timeout(300)
def test_a_run_killed_at_random_steps_ends_with_bit_identical_weights(tmp_path):
    chance = random.Random(20261122)
    kills = [chance.randint(3, 8) for _ in range(3)]

    straight_steps = run(tmp_path / "straight", tmp_path / "straight.npz")
    killed_steps = [
        run(tmp_path / "killed", tmp_path / "killed.npz", kill_after=count) for count in kills
    ]
    killed_steps.append(run(tmp_path / "killed", tmp_path / "killed.npz"))

    straight, killed = (
        np.load(tmp_path / f"{name}.npz", allow_pickle=True) for name in ("straight", "killed")
    )
    assert straight_steps == list(range(1, TOTAL_STEPS + 1))
    # Resumed where a state was saved, mid-epoch (an epoch has 7 steps), not from 0.
    assert [steps[0] for steps in killed_steps[1:]] != [1, 1, 1]
    assert any((steps[0] - 1) % 7 for steps in killed_steps[1:])
    assert straight.files == killed.files
    for name in straight.files:
        np.testing.assert_array_equal(straight[name], killed[name], err_msg=name)


def test_resuming_a_finished_run_says_so_and_keeps_its_result(make_task, tmp_path, caplog):
    first = make_task().finetune_and_eval()
    before = (tmp_path / "ckpt" / "best_model" / "bundle.json").read_bytes()

    with caplog.at_level("INFO", logger="hubcls"):
        second = make_task().finetune_and_eval()

    assert "is finished" in caplog.text
    assert "raise num_epoch" in caplog.text
    assert second["test"].scores == first["test"].scores
    assert (tmp_path / "ckpt" / "best_model" / "bundle.json").read_bytes() == before


def test_a_finished_run_goes_on_when_num_epoch_is_raised(make_task):
    make_task(num_epoch=1).finetune_and_eval()

    longer = make_task(num_epoch=2)
    longer.finetune_and_eval()

    assert longer.progress.step == 12
    assert [score.step for score in longer.progress.evaluations] == [0, 6, 12]


def test_another_run_in_the_folder_is_an_error_that_names_what_differs(make_task):
    make_task(seed=1).finetune_and_eval()

    with pytest.raises(CheckpointError) as error:
        make_task(seed=2, label_smoothing=0.1).finetune_and_eval()

    assert "seed: 1 there, 2 now" in str(error.value)
    assert "label_smoothing: 0.0 there, 0.1 now" in str(error.value)
    assert "resume=False" in str(error.value)


def test_resume_false_starts_over(make_task):
    make_task(seed=1).finetune_and_eval()

    again = make_task(seed=2, resume=False)
    again.finetune_and_eval()

    assert again.progress.evaluations[0].step == 0


def test_resume_true_without_a_run_is_an_error(make_task):
    with pytest.raises(CheckpointError, match="holds no run"):
        make_task(resume=True).finetune_and_eval()


def test_a_damaged_state_is_an_error_that_says_what_to_do(make_task, tmp_path):
    make_task().finetune_and_eval()
    state = tmp_path / "ckpt" / "state" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:1000])

    with pytest.raises(CheckpointError, match="resume=False"):
        make_task().finetune_and_eval()


def test_a_kill_while_saving_leaves_the_old_state(make_task, tmp_path, monkeypatch):
    task = make_task()
    task.finetune_and_eval()
    state = tmp_path / "ckpt" / "state" / "state.safetensors"
    before = state.read_bytes()

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", die)
    with pytest.raises(KeyboardInterrupt):
        task.save_checkpoint()

    assert state.read_bytes() == before
    assert [path.name for path in state.parent.iterdir()] == [state.name]


def test_max_seconds_ends_cleanly_with_the_best_model(make_task, tmp_path):
    task = make_task(num_epoch=10_000, max_seconds=1.0)

    task.finetune_and_eval()

    assert 0 < task.progress.step < task.progress.total_steps
    assert "max_seconds" in task.progress.stop_reason
    assert json.loads((tmp_path / "ckpt" / "report.json").read_text())["run"]["stop_reason"]
    assert hubcls.load(tmp_path / "ckpt").class_names == ("across", "down", "diagonal")


def test_a_run_that_ran_out_of_time_goes_on_with_more(make_task):
    make_task(num_epoch=10_000, max_seconds=0.5).finetune_and_eval()

    task = make_task(num_epoch=10_000, max_seconds=1.5)
    task.finetune_and_eval()

    assert task.progress.seconds >= 1.5


def test_a_second_call_of_a_task_that_started_over_keeps_its_run(make_task, tmp_path):
    task = make_task(resume=False)
    first = task.finetune_and_eval()

    second = task.finetune_and_eval()

    assert second["test"].scores == first["test"].scores
    assert (tmp_path / "ckpt" / "state" / "state.safetensors").exists()


def test_gradual_unfreezing_goes_on_with_more_epochs(make_task):
    def task(num_epoch):
        strategy = hubcls.ULMFiTStrategy(dis_blocks=2, frz_blocks=2)
        return make_task(num_epoch=num_epoch, strategy=strategy)

    task(1).finetune_and_eval()

    longer = task(2)
    longer.finetune_and_eval()

    assert longer.progress.step == 12


def test_eval_in_a_new_process_measures_the_saved_state(make_task):
    trained = make_task()
    trained.finetune_and_eval()
    expected = trained.eval("val")

    found = make_task().eval("val")

    assert found.loss == pytest.approx(expected.loss, abs=1e-6)


def test_load_checkpoint_takes_over_weights_and_progress(make_task):
    assert make_task().load_checkpoint() is False
    trained = make_task()
    trained.finetune_and_eval()

    task = make_task()

    assert task.load_checkpoint() is True
    assert task.progress.step == trained.progress.step
    pairs = zip(task.classifier.get_weights(), trained.classifier.get_weights(), strict=True)
    assert all(np.array_equal(found, wanted) for found, wanted in pairs)


def interrupt(task, *, step):
    """Run a task as far as a step, where its user presses Ctrl-C."""

    def press(task, state):
        if state.step == step:
            raise KeyboardInterrupt

    task.add_hook("run_step_event", "interrupt", press)
    with pytest.raises(KeyboardInterrupt):
        task.finetune_and_eval()
    task.delete_hook("run_step_event", "interrupt")


def test_a_run_measured_in_mid_epoch_goes_on_as_if_it_had_not_been(task_in, tmp_path):
    """Evaluating restores the state; the half epoch's sums must come back with it."""

    def interrupted(folder):
        task = task_in(folder, save_ckpt_interval=3, strategy=hubcls.DefaultStrategy())
        interrupt(task, step=4)
        return task_in(folder, save_ckpt_interval=3, strategy=hubcls.DefaultStrategy())

    measured, unmeasured = interrupted(tmp_path / "a"), interrupted(tmp_path / "b")
    measured.eval("val")
    measured.finetune_and_eval()
    unmeasured.finetune_and_eval()

    def curves(task):
        return [{k: v for k, v in row.items() if k != "seconds"} for row in task.progress.history]

    assert curves(measured) == curves(unmeasured)


def test_starting_over_after_the_old_run_was_used_is_an_error(make_task, tmp_path):
    make_task().finetune_and_eval()
    task = make_task(resume=False)
    task.eval("val")

    with pytest.raises(CheckpointError, match="make a new task"):
        task.finetune_and_eval()

    assert (tmp_path / "ckpt" / "state" / "state.safetensors").exists()


@pytest.mark.parametrize(
    "use",
    [
        lambda task: task.eval("val"),
        lambda task: task.predict([np.zeros((16, 16, 3), np.uint8)]),
        lambda task: task.save_inference_model("shipped"),
    ],
)
def test_an_untrained_task_says_so_instead_of_guessing(make_task, use):
    with pytest.raises(CheckpointError, match="finetune_and_eval"):
        use(make_task())


def test_an_interrupted_first_epoch_goes_on_in_the_same_process(make_task):
    task = make_task(strategy=hubcls.DefaultStrategy())
    interrupt(task, step=3)

    task.finetune_and_eval()

    assert task.progress.step == 6


def test_finetune_on_a_finished_run_leaves_its_best_model(make_task, tmp_path):
    make_task().finetune_and_eval()
    facts = tmp_path / "ckpt" / "best_model" / "bundle.json"
    before = facts.read_bytes()

    make_task().finetune()

    assert facts.read_bytes() == before


def test_the_probe_counts_as_time_of_the_run(make_task):
    task = make_task(num_epoch=0)

    task.finetune_and_eval()

    assert task.progress.seconds > 0
