"""PaddleClas' configuration keys that stand alone, and what they are called here: tables."""

from __future__ import annotations

from collections.abc import Mapping

_PROGRESS = "progress, TensorBoard, states and the best model are written anyway"
_OWN_LOADER = "the pipeline sizes its workers itself"
_CLASSES = "the data set knows its classes"
_MODULES_OWN = "the module knows its own (hubcls modules show NAME)"
_PREDICT = "given to hubcls predict"

# PaddleClas key → ours. A list of operations is part of the path by their names.
SAME_VALUE: Mapping[str, str] = {
    "Arch.use_sync_bn": "run.sync_batch_norm",
    "DataLoader.Train.dataset.image_root": "dataset.name",
    "DataLoader.Train.sampler.batch_size": "run.batch_size",
    "EMA.decay": "run.ema",
    "Global.epochs": "run.num_epoch",
    "Global.output_dir": "run.checkpoint_dir",
    "Global.print_batch_step": "run.log_interval",
    "Global.seed": "run.seed",
    "Global.update_freq": "run.gradient_accumulation",
    "Loss.Train.CELoss.epsilon": "run.label_smoothing",
    "Loss.Train.MixCELoss.epsilon": "run.label_smoothing",
    "Optimizer.beta1": "strategy.beta_1",
    "Optimizer.beta2": "strategy.beta_2",
    "Optimizer.clip_norm": "strategy.clip.Norm",
    "Optimizer.clip_norm_global": "strategy.clip.GlobalNorm",
    "Optimizer.epsilon": "strategy.epsilon",
    "Optimizer.momentum": "strategy.momentum",
    "Optimizer.rho": "strategy.rho",
}

_TOP_K: Mapping[object, Mapping[str, object]] = {
    (1, 5): {"task.metrics_choices": ["acc", "top5"]},
    (1,): {"task.metrics_choices": ["acc"]},
    1: {"task.metrics_choices": ["acc"]},
}
_MULTI_LABEL: Mapping[object, Mapping[str, object]] = {
    None: {"task.metrics_choices": ["map", "hamming_loss"]}
}

# PaddleClas key → value there → what is set here.
KNOWN_VALUES: Mapping[str, Mapping[object, Mapping[str, object]]] = {
    "DataLoader.Train.dataset.name": {"ImageNetDataset": {}, "MultiLabelDataset": {}},
    "DataLoader.Train.sampler.name": {
        "BatchSampler": {},
        "DistributedBatchSampler": {},
        "RepeatedAugSampler": {"pipeline.augmentation.repeats": 3},
    },
    "Global.device": {"gpu": {"run.use_cuda": True}, "cpu": {"run.use_cuda": False}},
    "Loss.Train.CELoss.weight": {1.0: {}},
    "Loss.Train.MixCELoss.weight": {1.0: {}},
    "Loss.Train.MultiLabelLoss.weight": {1.0: {"task.name": "MultiLabelClassifierTask"}},
    # The share of right labels is 1 - hamming_loss.
    "Metric.Eval.AccuracyScore": _MULTI_LABEL,
    "Metric.Eval.DistillationTopkAcc.model_key": {"Student": {}},
    "Metric.Eval.DistillationTopkAcc.topk": _TOP_K,
    "Metric.Eval.HammingDistance": _MULTI_LABEL,
    "Metric.Eval.Topk.k": _TOP_K,
    "Metric.Eval.TopkAcc.topk": _TOP_K,
    "Optimizer.name": {
        "Adam": {"strategy.optimizer_name": "adam"},
        "AdamW": {"strategy.optimizer_name": "adamw"},
        "Lamb": {"strategy.optimizer_name": "lamb"},
        "Momentum": {"strategy.optimizer_name": "momentum"},
        "RMSProp": {"strategy.optimizer_name": "rmsprop"},
        "SGD": {"strategy.optimizer_name": "sgd"},
    },
    "Optimizer.one_dim_param_no_weight_decay": {True: {}},
}

# Patterns of PaddleClas keys that need nothing here → why.
NOT_NEEDED: Mapping[str, str] = {
    "DataLoader.Eval.dataset.transform_ops.DecodeImage*": "images are RGB here",
    "DataLoader.Eval.dataset.transform_ops.NormalizeImage*": _MODULES_OWN,
    "DataLoader.Eval.dataset.transform_ops.ToCHWImage": "images are [B, H, W, 3] here",
    "DataLoader.*.loader.*": _OWN_LOADER,
    "DataLoader.Eval.dataset.name": "as the training data",
    "DataLoader.Eval.dataset.transform_ops.CropImage.*": _MODULES_OWN,
    "DataLoader.Eval.dataset.transform_ops.ResizeImage.*": _MODULES_OWN,
    "DataLoader.Eval.sampler.*": "evaluation sees every image once, in order",
    "DataLoader.Train.sampler.drop_last": "the last batch is filled up",
    "DataLoader.Train.sampler.shuffle": "training always shuffles",
    "Global.class_num": _CLASSES,
    "Global.ema.enable": "run.ema says it",
    "Global.eval_during_train": _PROGRESS,
    "Global.save_inference_dir": _PROGRESS,
    "Global.save_interval": _PROGRESS,
    "Global.to_static": "every step is compiled",
    "Global.use_dali": _OWN_LOADER,
    "Global.use_multilabel": "the task says it",
    "Global.use_visualdl": _PROGRESS,
    "Infer.*": _PREDICT,
    "Loss.Eval*": "evaluation has the loss of the task",
    "Metric.Train*": "training shows its own",
    "Optimizer.multi_precision": "weights are float32 anyway",
}
# Keys that say nothing with this value.
EMPTY: Mapping[str, object] = {
    "Global.checkpoints": None,
    "Global.eval_interval": 1,
    "Global.eval_mode": "classification",
    "Global.image_channel": 3,
    "Global.pretrained_model": None,
}
