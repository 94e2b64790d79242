import csv

from hubcls.evaluation.history import write_history


def test_rows_come_back_with_their_values(tmp_path):
    rows = [{"step": 0, "val/acc": 0.25}, {"step": 10, "train/loss": 1e-7, "note": "best, so far"}]

    path = write_history(tmp_path / "history.csv", rows)

    with path.open(encoding="utf-8", newline="") as file:
        found = [{name: cell for name, cell in row.items() if cell} for row in csv.DictReader(file)]
    assert found == [{name: str(value) for name, value in row.items()} for row in rows]


def test_a_column_stands_where_it_first_occurs(tmp_path):
    rows = [{"step": 0, "val/acc": 0.5}, {"step": 1, "train/loss": 2.0, "val/acc": 0.75}]

    path = write_history(tmp_path / "history.csv", rows)

    assert path.read_text().splitlines() == ["step,val/acc,train/loss", "0,0.5,", "1,0.75,2.0"]
