"""A function that writes and reads a config, and one that converts PaddleClas'."""

import pytest

from hubcls.classification import SingleLabel, build_classifier
from hubcls.config.building import read_config
from hubcls.config.converting import converted
from hubcls.config.reading import override
from hubcls.errors import ConfigError
from hubcls.export.bundle import save_bundle
from hubcls.modules.module import Module


@pytest.fixture(scope="session")
def save_teacher(network):
    """Saves a classifier of these classes, with random weights."""

    def save(class_names, folder):
        module = Module(directory=network)
        return save_bundle(
            folder,
            build_classifier(module.backbone, num_outputs=len(class_names), seed=0),
            problem=SingleLabel(tuple(class_names)),
            preprocessing=module.preprocessing,
            module_name=module.name,
        )

    return save


@pytest.fixture(scope="session")
def teacher(save_teacher, tmp_path_factory):
    """The folder of a saved classifier that tells the classes of `photos` apart."""
    return save_teacher(("daisy", "roses"), tmp_path_factory.mktemp("teacher") / "best_model")


# In the form of PaddleClas 2: every section that its trainer reads.
PADDLECLAS = """\
Global:
  checkpoints: null
  pretrained_model: null
  output_dir: ./output/
  device: gpu
  save_interval: 1
  epochs: 90
  print_batch_step: 10
  image_shape: [3, 192, 256]
Arch:
  name: ResNet50
  class_num: 2
Loss:
  Train:
    - CELoss:
        weight: 1.0
        epsilon: 0.1
  Eval:
    - CELoss:
        weight: 1.0
Optimizer:
  name: Momentum
  momentum: 0.8
  lr:
    name: Piecewise
    learning_rate: 0.1
    decay_epochs: [30, 60]
    values: [0.1, 0.01, 0.001]
    warmup_epoch: 5
  regularizer:
    name: 'L2'
    coeff: 0.0001
DataLoader:
  Train:
    dataset:
      name: ImageNetDataset
      image_root: ./photos/
      cls_label_path: ./photos/train_list.txt
      transform_ops:
        - DecodeImage: {to_rgb: True, channel_first: False}
        - RandCropImage:
            size: 224
        - RandFlipImage:
            flip_code: 1
        - GridMask:
            ratio: 0.5
        - NormalizeImage:
            scale: 1.0/255.0
            mean: [0.485, 0.456, 0.406]
            std: [0.229, 0.224, 0.225]
            order: ''
    sampler: {name: DistributedBatchSampler, batch_size: 64, drop_last: False, shuffle: True}
    loader: {num_workers: 4, use_shared_memory: True}
  Eval:
    dataset:
      name: ImageNetDataset
      image_root: ./photos/
      cls_label_path: ./photos/lists/val_list.txt
      transform_ops:
        - ResizeImage: {resize_short: 256}
        - CropImage: {size: 224}
    sampler: {name: DistributedBatchSampler, batch_size: 64, drop_last: False, shuffle: False}
Infer:
  infer_imgs: demo.jpg
  PostProcess: {name: Topk, topk: 5}
Metric:
  Train:
    - TopkAcc: {topk: [1, 5]}
  Eval:
    - TopkAcc: {topk: [1, 5]}
Profiler: {depth: 3}
"""


@pytest.fixture
def read(tmp_path):
    """The config of a text and of overrides."""

    def written(text="", *overrides):
        path = tmp_path / "x.yaml"
        path.write_text(text, encoding="utf-8")
        return read_config(path, map(override, overrides))

    return written


@pytest.fixture
def refused(read, tmp_path):
    """What is said against a text and overrides, without the folder's name."""

    def message(text="", *overrides):
        with pytest.raises(ConfigError) as caught:
            read(text, *overrides)
        return str(caught.value).replace(f"{tmp_path}/", "")

    return message


@pytest.fixture
def convert(tmp_path):
    """What becomes of PADDLECLAS after (old, new) changes of its text."""

    def of(*changes):
        text = PADDLECLAS
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "paddle.yaml"
        path.write_text(text)
        return converted(path)

    return of
