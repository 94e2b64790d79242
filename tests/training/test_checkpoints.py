import keras
import numpy as np
import pytest

from hubcls.errors import CheckpointError
from hubcls.training.checkpoints import read_state, restore_weights, save_state
from hubcls.training.run_state import RunProgress, Score


def compiled(units=3, seed=0):
    keras.utils.set_random_seed(seed)
    image = keras.Input((4,))
    x = keras.layers.Dropout(0.5)(keras.layers.Dense(units, name="dense")(image))
    model = keras.Model(image, x)
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def trained(seed=0):
    model = compiled(seed=seed)
    inputs = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
    model.fit(inputs, np.ones((16, 3), np.float32), batch_size=4, verbose=0)
    return model


def every_value(model):
    return [np.asarray(v).tolist() for v in (*model.variables, *model.optimizer.variables)]


def test_weights_optimizer_and_dropout_seeds_come_back_exactly(tmp_path):
    model = trained()
    save_state(tmp_path, model, RunProgress(4, 2, step=4), {"seed": 0})
    other = trained(seed=9)

    restore_weights(tmp_path, other)

    assert every_value(other) == every_value(model)


def test_progress_and_identity_come_back(tmp_path):
    progress = RunProgress(
        4, 2, step=5, evaluations=[Score(4, 1.0, {"acc": 0.5, "loss": 1.0})], history=[{"step": 4}]
    )

    save_state(tmp_path, trained(), progress, {"seed": 7})

    assert read_state(tmp_path) == (progress, {"seed": 7})


def test_an_empty_folder_holds_no_state(tmp_path):
    assert read_state(tmp_path) is None


def test_another_network_is_an_error_that_names_the_difference(tmp_path):
    save_state(tmp_path, trained(), RunProgress(4, 2), {})

    with pytest.raises(CheckpointError, match=r"\(4, 3\), not \(4, 5\)"):
        restore_weights(tmp_path, compiled(units=5))


def test_the_best_evaluation_is_the_first_with_the_best_metric_and_lowest_loss():
    rows = [(1, 0.5, 1.0), (2, 0.8, 0.9), (3, 0.8, 0.7), (4, 0.8, 0.8)]
    progress = RunProgress(
        4,
        2,
        evaluations=[Score(step, step, {"acc": acc, "loss": loss}) for step, acc, loss in rows],
    )

    assert progress.best.step == 3
    assert progress.evaluations_since_best() == 2


def test_a_lower_loss_is_better_where_the_loss_decides():
    progress = RunProgress(
        4, 2, evaluations=[Score(s, s, {"log_loss": v, "loss": v}) for s, v in [(1, 2.0), (2, 1.0)]]
    )

    assert progress.best.step == 2
