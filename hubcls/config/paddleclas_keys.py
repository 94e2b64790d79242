"""PaddleClas' configuration keys and what they are called here: one table, no code."""

from __future__ import annotations

from collections.abc import Mapping

_PROGRESS = "progress, TensorBoard, states and the best model are written anyway"
_OWN_LOADER = "the pipeline sizes its workers itself"
_CLASSES = "the data set knows its classes"
_MODULES_OWN = "the module knows its own (hubcls modules show NAME)"
_PREDICT = "given to hubcls predict"

# PaddleClas key → ours. A list of operations is part of the path by their names.
SAME_VALUE: Mapping[str, str] = {
    "AMP.scale_loss": "run.loss_scale",
    "Arch.drop_path_rate": "module.stochastic_depth",
    "Arch.name": "module.name",
    "DataLoader.Train.dataset.image_root": "dataset.name",
    "DataLoader.Train.dataset.transform_ops.NormalizeImage.mean": "pipeline.images_mean",
    "DataLoader.Train.dataset.transform_ops.NormalizeImage.std": "pipeline.images_std",
    "DataLoader.Train.dataset.transform_ops.RandCropImage.interpolation": "pipeline.interpolation",
    "DataLoader.Train.sampler.batch_size": "run.batch_size",
    "EMA.decay": "run.ema",
    "Global.epochs": "run.num_epoch",
    "Global.output_dir": "run.checkpoint_dir",
    "Global.print_batch_step": "run.log_interval",
    "Global.seed": "run.seed",
    "Loss.Train.CELoss.epsilon": "run.label_smoothing",
    "Loss.Train.MixCELoss.epsilon": "run.label_smoothing",
    "Optimizer.beta1": "strategy.beta_1",
    "Optimizer.beta2": "strategy.beta_2",
    "Optimizer.epsilon": "strategy.epsilon",
    "Optimizer.lr.learning_rate": "strategy.learning_rate",
    "Optimizer.lr.warmup_epoch": "strategy.warmup_epochs",
    "Optimizer.momentum": "strategy.momentum",
    "Optimizer.weight_decay": "strategy.regularization.weight_decay",
}

# PaddleClas key → value there → what is set here.
KNOWN_VALUES: Mapping[str, Mapping[object, Mapping[str, object]]] = {
    "AMP.level": {"O1": {"run.mixed_precision": "mixed_float16"}},
    "Arch.pretrained": {
        True: {"module.weights": "imagenet"},
        False: {"module.weights": None},
        None: {"module.weights": None},
    },
    "DataLoader.Train.dataset.name": {"ImageNetDataset": {}, "MultiLabelDataset": {}},
    "DataLoader.Train.dataset.transform_ops.RandFlipImage.flip_code": {
        1: {"pipeline.augmentation.horizontal_flip": True}
    },
    "Global.device": {"gpu": {"run.use_cuda": True}, "cpu": {"run.use_cuda": False}},
    "Loss.Train.CELoss.weight": {1.0: {}},
    "Loss.Train.MixCELoss.weight": {1.0: {}},
    "Loss.Train.MultiLabelLoss.weight": {1.0: {"task.name": "MultiLabelClassifierTask"}},
    "Metric.Eval.TopkAcc.topk": {
        (1, 5): {"task.metrics_choices": ["acc", "top5"]},
        (1,): {"task.metrics_choices": ["acc"]},
        1: {"task.metrics_choices": ["acc"]},
    },
    "Metric.Eval.HammingDistance": {None: {"task.metrics_choices": ["map", "hamming_loss"]}},
    "Optimizer.name": {
        "Adam": {"strategy.optimizer_name": "adam"},
        "AdamW": {"strategy.optimizer_name": "adamw"},
        "Momentum": {"strategy.optimizer_name": "momentum"},
        "RMSProp": {"strategy.optimizer_name": "rmsprop"},
        "SGD": {"strategy.optimizer_name": "sgd"},
    },
    "Optimizer.regularizer.name": {"L1": {}, "L2": {}},
    "Optimizer.one_dim_param_no_weight_decay": {True: {}},
}

# Patterns of PaddleClas keys that need nothing here → why.
NOT_NEEDED: Mapping[str, str] = {
    "AMP.use_dynamic_loss_scaling": "run.loss_scale says it",
    "Arch.class_num": _CLASSES,
    "DataLoader.*.dataset.transform_ops.DecodeImage.*": "images are RGB here",
    "DataLoader.*.dataset.transform_ops.NormalizeImage.*": _MODULES_OWN,
    "DataLoader.*.dataset.transform_ops.ToCHWImage": "images are [B, H, W, 3] here",
    "DataLoader.*.loader.*": _OWN_LOADER,
    "DataLoader.Eval.dataset.name": "as the training data",
    "DataLoader.Eval.dataset.transform_ops.CropImage.*": _MODULES_OWN,
    "DataLoader.Eval.dataset.transform_ops.ResizeImage.*": _MODULES_OWN,
    "DataLoader.Eval.sampler.*": "evaluation sees every image once, in order",
    "DataLoader.Train.dataset.transform_ops.RandCropImage.backend": "one decoder reads all",
    "DataLoader.Train.sampler.drop_last": "the last batch is filled up",
    "DataLoader.Train.sampler.name": _OWN_LOADER,
    "DataLoader.Train.sampler.shuffle": "training always shuffles",
    "Global.class_num": _CLASSES,
    "Global.eval_during_train": _PROGRESS,
    "Global.save_inference_dir": _PROGRESS,
    "Global.save_interval": _PROGRESS,
    "Global.use_multilabel": "the task says it",
    "Global.use_visualdl": _PROGRESS,
    "Infer.*": _PREDICT,
    "Loss.Eval.*": "evaluation has the loss of the task",
    "Metric.Train.*": "training shows its own",
}
# Keys that say nothing with this value.
EMPTY: Mapping[str, object] = {
    "Global.checkpoints": None,
    "Global.eval_interval": 1,
    "Global.pretrained_model": None,
    "Global.to_static": False,
}
