"""Features land in a file row by row, all of them or none."""

import numpy as np
import pytest

from hubcls.errors import ConfigError
from hubcls.evaluation.feature_file import feature_file


def test_batches_become_one_array(tmp_path):
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)

    with feature_file(tmp_path / "f.npz", 4) as append:
        append(["a", "b", "c"], rows[:3])
        append(["Straße"], rows[3:])

    with np.load(tmp_path / "f.npz", allow_pickle=False) as saved:
        np.testing.assert_array_equal(saved["features"], rows)
        assert saved["names"].tolist() == ["a", "b", "c", "Straße"]


def test_too_few_rows_leave_no_file(tmp_path):
    message = "2 rows were announced, but 1 came"

    with (
        pytest.raises(ConfigError, match=message),
        feature_file(tmp_path / "f.npz", 2) as append,
    ):
        append(["a"], np.zeros((1, 3), np.float32))

    assert list(tmp_path.iterdir()) == []
