"""PaddleClas' keys become ours, and what has no counterpart is listed."""

import pytest
import yaml

from hubcls.cli.main import main
from hubcls.config import paddleclas_keys
from hubcls.config.building import read_config
from hubcls.config.converting import converted
from hubcls.errors import ConfigError


def test_every_section_has_its_counterpart(convert):
    assert convert().values == {
        "module": {"weights": None, "input_size": [192, 256], "name": "ResNet50"},
        "dataset": {
            "name": "./photos/",
            "train_list_file": "train_list.txt",
            "validate_list_file": "lists/val_list.txt",
        },
        "pipeline": {
            "augmentation": {
                "horizontal_flip": True,
                "min_area": 0.08,
                "operations": [
                    {
                        "name": "grid_mask",
                        "min_period": 0.5,
                        "max_period": pytest.approx(7 / 6),
                        "ratio": 0.5,
                        "probability": 1.0,
                    }
                ],
            },
            "images_mean": [0.485, 0.456, 0.406],
            "images_std": [0.229, 0.224, 0.225],
        },
        "strategy": {
            "name": "scheduled",
            "schedule": {
                "name": "piecewise",
                "epochs": [35, 65],
                "factors": pytest.approx([1, 0.1, 0.01]),
            },
            "optimizer_name": "momentum",
            "momentum": 0.8,
            "learning_rate": 0.1,
            "warmup_epochs": 5,
            "regularization": {"L2": 0.0001},
        },
        "run": {
            "checkpoint_dir": "./output/",
            "use_cuda": True,
            "num_epoch": 90,
            "log_interval": 10,
            "label_smoothing": 0.1,
            "batch_size": 64,
        },
        "task": {"metrics_choices": ["acc", "top5"]},
    }


def test_what_has_no_counterpart_is_listed_by_key_and_value(convert):
    conversion = convert(("warmup_epoch: 5", "warmup_start_lr: 1e-6"))

    assert conversion.not_mapped == (
        "Profiler.depth: 3",
        "DataLoader.Train.dataset.transform_ops.GridMask.mode: 0",
        "Optimizer.lr.warmup_start_lr: 1e-06",
    )


def test_every_key_is_mapped_listed_or_not_needed_for_a_reason(convert):
    conversion = convert()

    assert all(conversion.not_needed.values())
    assert "Infer.infer_imgs" in conversion.not_needed
    text = conversion.as_yaml("paddle.yaml")
    for line in (*conversion.not_mapped, *conversion.not_needed):
        assert line in text


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("name: Momentum", "name: Lion2", "Optimizer.name: Lion2"),
        ("name: Piecewise", "name: Cyclic", "Optimizer.lr.name: Cyclic"),
        ("weight: 1.0\n        epsilon", "weight: 0.5\n        epsilon", "CELoss.weight: 0.5"),
        ("device: gpu", "device: xpu", "Global.device: xpu"),
        ("[3, 192, 256]", "[1, 28, 28]", "Global.image_shape: [1, 28, 28]"),
        ("checkpoints: null", "checkpoints: output/7", "Global.checkpoints: output/7"),
    ],
)
def test_a_value_that_means_nothing_here_is_listed(convert, old, new, line):
    assert any(line in found for found in convert((old, new)).not_mapped)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("values: [0.1, 0.01, 0.001]", "values: [0, a]"),
        ("cls_label_path: ./photos/train_list.txt", "cls_label_path: [1, 2]"),
        ("image_shape: [3, 192, 256]", "image_shape: wide"),
        ("name: ResNet50", "name: PPLCNet\n  scale: big"),
        ("transform_ops:", "transform_ops:\n        -"),
    ],
)
def test_values_of_a_wrong_type_are_listed_not_raised(convert, old, new):
    key = new.split(":")[0]

    assert any(key in line or "lr.name" in line for line in convert((old, new)).not_mapped)


def test_pretrained_weights_are_taken_over(convert):
    by_name = convert(("class_num: 2", "pretrained: True"))
    by_file = convert(("pretrained_model: null", "pretrained_model: ./weights/ResNet50"))

    assert by_name.values["module"]["weights"] == "imagenet"
    assert by_file.values["module"]["weights"] == "./weights/ResNet50.pdparams"
    assert by_file.problems == ()


def test_a_cosine_keeps_its_lowest_rate(convert):
    strategy = convert(
        ("name: Piecewise", "name: Cosine"),
        ("    decay_epochs: [30, 60]\n    values: [0.1, 0.01, 0.001]", "    eta_min: 1e-3"),
    ).values["strategy"]

    assert strategy["schedule"] == {"name": "cosine", "end_factor": pytest.approx(0.01)}
    assert strategy["learning_rate"] == 0.1


def test_a_network_that_hubcls_lacks_is_told(convert):
    conversion = convert(("name: ResNet50", "name: ResNet51"))

    assert "no module is called 'ResNet51'" in "\n".join(conversion.problems)
    assert "# hubcls train refuses it:" in conversion.as_yaml("paddle.yaml")


def test_the_command_writes_a_config_that_train_takes(convert, photos, tmp_path, capsys):
    convert()
    ours = tmp_path / "ours.yaml"

    code = main(["convert-config", str(tmp_path / "paddle.yaml"), "--out", str(ours)])

    assert code == 0
    assert "not mapped: 2" in capsys.readouterr().err
    values = yaml.safe_load(ours.read_text())
    assert values["dataset"]["name"] == "./photos/"
    (tmp_path / "without.yaml").write_text(yaml.safe_dump({**values, "dataset": str(photos)}))
    config = read_config(tmp_path / "without.yaml")
    assert (config.run.batch_size, config.run.num_epoch) == (64, 90)
    assert type(config.run.strategy).__name__ == "ScheduledStrategy"


def test_what_is_no_paddleclas_configuration_is_refused(tmp_path):
    (tmp_path / "x.yaml").write_text("Global: {epochs: 3}\n")

    with pytest.raises(ConfigError, match=r"no Arch.name"):
        converted(tmp_path / "x.yaml")


def test_no_key_stands_in_two_tables():
    tables = (paddleclas_keys.SAME_VALUE, paddleclas_keys.KNOWN_VALUES, paddleclas_keys.NOT_NEEDED)
    keys = [key for table in tables for key in table]

    assert len(keys) == len(set(keys))
