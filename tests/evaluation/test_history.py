from hubcls.evaluation.history import append_history, read_history, write_history


def test_rows_come_back_with_their_numbers(tmp_path):
    rows = [{"step": 0, "val/acc": 0.25}, {"step": 10, "train/loss": 1e-7, "note": "best, so far"}]

    write_history(tmp_path / "history.csv", rows)

    assert read_history(tmp_path / "history.csv") == rows


def test_a_column_stands_where_it_first_occurs(tmp_path):
    rows = [{"step": 0, "val/acc": 0.5}, {"step": 1, "train/loss": 2.0, "val/acc": 0.75}]

    path = write_history(tmp_path / "history.csv", rows)

    assert path.read_text().splitlines() == ["step,val/acc,train/loss", "0,0.5,", "1,0.75,2.0"]


def test_appending_keeps_earlier_rows_and_adds_new_columns(tmp_path):
    path = tmp_path / "history.csv"

    append_history(path, {"step": 0})
    append_history(path, {"step": 5, "val/acc": 0.5})

    assert read_history(path) == [{"step": 0}, {"step": 5, "val/acc": 0.5}]


def test_without_a_file_there_is_no_history(tmp_path):
    assert read_history(tmp_path / "history.csv") == []
