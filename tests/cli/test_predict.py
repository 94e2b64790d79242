"""hubcls predict: names and probabilities in three forms."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hubcls
from hubcls.cli.main import main


@pytest.fixture
def predict(checkpoint, photos, capsys):
    def run(*arguments):
        images = [str(photos / "dark" / "0.png"), str(photos / "light" / "9.png")]
        assert main(["predict", *images, "--checkpoint", str(checkpoint), *arguments]) == 0
        return capsys.readouterr().out

    return run


def test_a_line_names_the_image_and_the_classes_by_probability(predict, photos):
    first, second = predict().splitlines()

    assert first.startswith(f"{photos}/dark/0.png: dark 0.99")
    assert second.startswith(f"{photos}/light/9.png: light 0.99")
    assert "light 0.0005" in first


def test_top_k_limits_the_answers(predict):
    assert ", " not in predict("--top-k", "1")


def test_json_is_an_object_a_line(predict, photos):
    objects = [json.loads(line) for line in predict("--json").splitlines()]

    assert [item["class_name"] for item in objects] == ["dark", "light"]
    assert objects[0]["source"] == f"{photos}/dark/0.png"
    assert objects[0]["probability"] == objects[0]["top"][0][1] > 0.99


def test_csv_is_a_row_a_class(predict):
    rows = list(csv.DictReader(io.StringIO(predict("--csv"))))

    assert [(row["rank"], row["class_name"]) for row in rows] == [
        ("1", "dark"), ("2", "light"), ("1", "light"), ("2", "dark"),
    ]  # fmt: skip


def test_a_folder_stands_for_its_images(checkpoint, photos, capsys):
    main(["predict", str(photos / "dark"), "--checkpoint", str(checkpoint)])

    assert len(capsys.readouterr().out.splitlines()) == 10


def test_the_best_model_folder_itself_will_do(checkpoint, photos, capsys):
    code = main(["predict", str(photos), "--checkpoint", str(checkpoint / "best_model")])

    assert code == 0


def test_a_missing_image_is_named(checkpoint, capsys):
    code = main(["predict", "nowhere.jpg", "--checkpoint", str(checkpoint)])

    assert code == 2
    assert "nowhere.jpg" in capsys.readouterr().err


def test_a_folder_without_a_classifier_is_named(photos, capsys):
    code = main(["predict", str(photos), "--checkpoint", str(photos)])

    assert code == 2
    assert "BundleError" in capsys.readouterr().err


def test_images_may_be_given_by_an_option_too(checkpoint, photos, capsys):
    image, folder = str(photos / "light" / "9.png"), str(photos / "dark")

    code = main(["predict", image, "-i", folder, "--checkpoint", str(checkpoint)])

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert len(lines) == 11
    assert lines[0].startswith(f"{image}: light")


def test_without_images_predict_says_how_to_give_them(checkpoint, capsys):
    assert main(["predict", "--checkpoint", str(checkpoint)]) == 2
    assert "hubcls predict IMAGE_OR_FOLDER" in capsys.readouterr().err


def test_features_are_saved_with_their_names_in_order(checkpoint, photos, tmp_path, capsys):
    file = tmp_path / "new" / "features.npz"

    main(["predict", str(photos), "--checkpoint", str(checkpoint), "--batch-size", "3",
          "--save-features", str(file)])  # fmt: skip

    printed = [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()]
    with np.load(file) as saved:
        names, features = saved["names"].tolist(), saved["features"]
    assert names == printed
    assert (features.shape, features.dtype) == ((20, 3), np.float32)
    # The network's features are the mean of each channel, the photos are grey.
    greys = [10 * n + 155 * ("light" in name) for name in names for n in [int(Path(name).stem)]]
    np.testing.assert_allclose(features, np.array([greys] * 3).T, atol=1e-3)
    assert [path.name for path in file.parent.iterdir()] == ["features.npz"]


def test_features_of_another_ending_are_refused(checkpoint, photos, tmp_path, capsys):
    command = ["predict", str(photos), "--checkpoint", str(checkpoint)]

    assert main([*command, "--save-features", str(tmp_path / "features.csv")]) == 2
    assert "written as .npz" in capsys.readouterr().err


def test_an_unreadable_image_leaves_no_half_feature_file(checkpoint, photos, tmp_path, capsys):
    (tmp_path / "bad.png").write_bytes(b"no image")
    images = [str(photos / "dark"), str(tmp_path / "bad.png")]

    code = main(["predict", *images, "--checkpoint", str(checkpoint),
                 "--save-features", str(tmp_path / "features.npz")])  # fmt: skip

    streams = capsys.readouterr()
    assert code == 2
    assert "bad.png" in streams.err
    assert streams.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["bad.png"]


def test_every_backend_gives_the_same_answers(predict):
    by_keras = predict("--json", "--backend", "keras")

    by_openvino = predict("--json", "--backend", "openvino")

    for one, other in zip(by_keras.splitlines(), by_openvino.splitlines(), strict=True):
        assert json.loads(one)["class_name"] == json.loads(other)["class_name"]
        np.testing.assert_allclose(
            json.loads(one)["probability"], json.loads(other)["probability"], atol=1e-5
        )


def test_the_precision_that_is_asked_for_is_computed_in(predict, monkeypatch):
    asked = []

    def load(*paths, **options):
        asked.append(options)
        return hubcls.load(*paths, **options)

    monkeypatch.setattr("hubcls.cli.predict.load", load)
    full = [json.loads(line)["class_name"] for line in predict("--json").splitlines()]

    told = predict("--json", "--mixed-precision", "mixed_bfloat16")

    assert [json.loads(line)["class_name"] for line in told.splitlines()] == full
    assert asked == [{}, {"mixed_precision": "mixed_bfloat16"}]


def test_rows_come_before_an_image_is_found_damaged_inside(checkpoint, photos, tmp_path, capsys):
    contents = bytearray((photos / "dark" / "0.png").read_bytes())
    contents[45:50] = bytes(5)
    (tmp_path / "bad.png").write_bytes(contents)
    images = [*[str(photos)] * 2, str(tmp_path / "bad.png"), str(photos)]

    code = main(["predict", *images, "--checkpoint", str(checkpoint), "--csv", "--top-k", "1",
                 "--batch-size", "4"])  # fmt: skip

    streams = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(streams.out)))
    assert code == 2
    assert f"{tmp_path}/bad.png: is damaged" in streams.err
    assert 0 < len(rows) <= 40
    assert "bad.png" not in streams.out


def test_predicting_loads_nothing_that_it_does_not_use(checkpoint, photos):
    result = subprocess.run(
        [sys.executable, "-c", LOADED, str(photos), "--checkpoint", str(checkpoint)],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip

    *answers, loaded = result.stdout.splitlines()
    assert len(answers) == 20
    assert loaded == "loaded:"


REPOSITORY = Path(__file__).resolve().parents[2]
LOADED = """
import sys
from hubcls.cli.main import main
assert main(["predict", *sys.argv[1:]]) == 0
unused = (
    "sklearn", "matplotlib", "pandas", "scipy", "tensorboard", "tensorflow_datasets",
    "tensorflow_hub", "keras_hub", "keras_cv", "openvino", "hubcls.modules.module",
    "hubcls.classification.metrics", "hubcls.training", "hubcls.strategies",
)
print("loaded:", *[name for name in unused if name in sys.modules])
"""
