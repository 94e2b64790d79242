"""ImageClassifierTask: fine-tune a module on a data set, measure it, predict with it."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from hubcls.classification.predictions import Prediction
from hubcls.classification.problem import Problem
from hubcls.datasets.base import Dataset
from hubcls.errors import CheckpointError, ConfigError
from hubcls.evaluation.evaluating import Evaluation, evaluate
from hubcls.evaluation.history import write_history
from hubcls.evaluation.predicting import Images, predict
from hubcls.evaluation.visualization import Visualization
from hubcls.export.bundle import Bundle, load_bundle, save_bundle
from hubcls.inference.choosing import Inference
from hubcls.logs import logger, show_logs
from hubcls.modules.module import Module
from hubcls.pipeline.reader import ImageClassificationReader
from hubcls.progress import progress as progress_bar
from hubcls.seeding import initializers_seeded
from hubcls.tasks.assembling import Assembly, assemble
from hubcls.tasks.describing import config_values, finished_line, identity, run_line
from hubcls.tasks.hooked import HookedTask
from hubcls.tasks.ingredients import Head, Metrics, check_kind, gathered, metric_names
from hubcls.tasks.probe_start import start_from_probe
from hubcls.tasks.repeating import task_section
from hubcls.tasks.reporting import show_config_and_samples, write_reports
from hubcls.tasks.run_folder import RunFolder, take_over
from hubcls.training.checkpoints import restore_weights, save_state
from hubcls.training.devices import hide_gpus
from hubcls.training.fitting import Fitting, averaged_weights, fit
from hubcls.training.run_config import RunConfig
from hubcls.training.run_state import RunProgress, RunState


class ImageClassifierTask(HookedTask):
    """A classifier in the making: module, data set and settings, and the run they give.

    Example:
        task = hubcls.ImageClassifierTask(
            module=hubcls.Module(name="efficientnet_lite0_imagenet"),
            dataset=hubcls.datasets.Digits(),
            config=hubcls.RunConfig(checkpoint_dir="ckpt"),
        )
        task.finetune_and_eval()
        task.predict(["photo.jpg"], top_k=3)

    PaddleHub's form works too: `feature` from `module.context()`, `feed_list`,
    `data_reader` and `num_classes` in the place of `module` and `dataset`.
    """

    _is_multi_label = False

    def __init__(
        self,
        *,
        module: Module | None = None,
        dataset: Dataset | None = None,
        config: RunConfig | None = None,
        hidden_units: Sequence[int] | None = None,
        dropout: float = 0.0,
        metrics_choices: Metrics | None = "default",
        feature: keras.KerasTensor | None = None,
        feed_list: Sequence[str] | None = None,
        data_reader: ImageClassificationReader | None = None,
        num_classes: int | None = None,
    ) -> None:
        """Take the parts; nothing is built before it is needed.

        Args:
            module: the pretrained backbone.
            dataset: examples by phase.
            config: how to run; None is RunConfig().
            hidden_units: widths of fully connected layers before the last one.
            dropout: share of features dropped before the last layer, in [0, 1).
            metrics_choices: names of metrics, the first of which decides the best model;
                "default" is ["acc"], and an empty list decides by the loss.
            feature: PaddleHub's form: a tensor that `module.context()` gave, or layers of
                your own on it.
            feed_list: accepted for PaddleHub's scripts; the inputs follow from `feature`.
            data_reader: how images are read and augmented; its data set stands in for
                `dataset`.
            num_classes: PaddleHub's form: checked against the data set.

        Raises:
            ConfigError: the parts do not make a whole, or a metric is unknown.
        """
        super().__init__()
        show_logs()
        self.config = config or RunConfig()
        if not self.config.use_cuda:
            # Before the module's backbone is built on one.
            hide_gpus()
        with initializers_seeded(self.config.seed):
            self.ingredients = gathered(module, dataset, feature, data_reader, num_classes)
        check_kind(self.ingredients, is_multi_label=self._is_multi_label)
        self.metrics = metric_names(metrics_choices, self.ingredients.problem)
        self.phase = "train"
        self.head = Head.checked(hidden_units, dropout, self.metrics)
        self._arguments: Mapping[str, Any] = self.head.as_dict()  # a config's section "task"
        self._folder = RunFolder(self.config.folder)
        self._advance: Callable[[int], None] = lambda _: None
        self._last_state = RunState(0, 0, 0, {}, 0, 0.0)
        # Whether the classifier holds weights of this run: trained, probed or restored.
        self._has_weights = False
        # The state that they were restored from and no step has been trained on yet.
        self._restored_from: Path | None = None
        self._loaded: tuple[int, Bundle] | None = None
        self._fitted = self.ingredients.problem  # as the latest evaluation would have it

    # What is built on first use

    @functools.cached_property
    def _assembly(self) -> Assembly:
        self._fire("build_env_start_event")
        return assemble(self.ingredients, self.config, self.head)

    @functools.cached_property
    def visualization(self) -> Visualization:
        """The TensorBoard writer of this run."""
        step = self.progress.step
        return Visualization(self._folder.visualization, resumed_step=step or None)

    @property
    def classifier(self) -> keras.Model:
        """The Keras model being trained, unaveraged: images 0–255 to logits."""
        return self._assembly.classifier

    @property
    def progress(self) -> RunProgress:
        """Where the run stands."""
        return self._assembly.progress

    # The run

    def finetune_and_eval(self) -> dict[str, Evaluation]:
        """Fine-tune, keep the best model on validation, and measure that one.

        Goes on with the run in `checkpoint_dir`, if there is one. Writes the best model,
        TensorBoard logs and reports there.

        Returns:
            The best model's evaluation on "val" and, where there is one, "test".

        Raises:
            CheckpointError: `checkpoint_dir` holds another run.
            TrainingError: the loss is not finite.
        """
        self._check_validation(True)
        self._run(evaluates=True)
        if not self._folder.has_best_model:
            # Whatever was taken out (the default hooks, say), something is measured.
            self.save_best_model()
        phases = filter(self.ingredients.dataset.has, ("val", "test"))
        results = {phase: self.eval(phase, load_best_model=True) for phase in phases}
        write_reports(self._folder, self.visualization, self.ingredients, self._assembly, results)
        logger.info("best model: %s", self._folder.best_model)
        logger.info("report: %s and report.png", self._folder.folder / "report.json")
        logger.info("TensorBoard: tensorboard --logdir %s", self._folder.visualization)
        return results

    def finetune(self, do_eval: bool = False) -> None:
        """Fine-tune; the last weights become the best model.

        Args:
            do_eval: measure on validation as well and keep the best model, not the last.

        Raises:
            ConfigError: early stopping is asked for, but nothing is to be evaluated.
            CheckpointError: `checkpoint_dir` holds another run.
            TrainingError: the loss is not finite.
        """
        self._check_validation(do_eval)
        if self._run(evaluates=do_eval) and not (do_eval and self._folder.has_best_model):
            self.save_best_model()

    def eval(self, phase: str = "dev", load_best_model: bool = False) -> Evaluation:
        """Measure the classifier on one split.

        Args:
            phase: "val" (or "dev") or "test", or "train".
            load_best_model: measure the best model instead of the current weights, which
                are those of the state in `checkpoint_dir` in a process that has not trained.

        Raises:
            CheckpointError: nothing has been trained yet.
        """
        with self._phase(phase):
            self._fire("eval_start_event")
            with self._weights(best=load_best_model) as model:
                evaluation = evaluate(
                    model,
                    self.ingredients.dataset.split(phase),
                    phase=phase,
                    problem=self._problem(best=load_best_model),
                    preprocessing=self.ingredients.preprocessing,
                    batch_size=self._assembly.stream.batch_size,
                    metrics=self.metrics,
                )
            # Hooks see the weights that train: a state that one saves is the run's.
            self._fire("eval_end_event", [self._as_run_state(evaluation)])
        return evaluation

    def predict(
        self,
        data: Images,
        *,
        top_k: int = 1,
        load_best_model: bool = True,
        return_result: bool = False,
        batch_size: int | None = None,
        label_list: Sequence[str] | None = None,
        accelerate_mode: bool = True,
    ) -> list[Prediction] | list[str]:
        """Name what images show.

        Args:
            data: a path or a folder, or a list of paths, arrays [H, W, 3] or PIL images.
            top_k: how many classes each prediction lists.
            load_best_model: use the best model, as PaddleHub does, not the current weights.
            return_result: give class names alone, as PaddleHub does.
            batch_size: images per step; None is the config's.
            label_list: other names for the classes, in their order.
            accelerate_mode: PaddleHub's argument; prediction always runs compiled.

        Returns:
            One prediction an image, in order.

        Raises:
            CheckpointError: nothing has been trained yet.
            ConfigError: `label_list` has not one name for each class.
            DataError: an image is missing or cannot be read.
        """
        with self._phase("predict"):
            self._fire("predict_start_event")
            began = time.perf_counter()
            with self._weights(best=load_best_model) as model:
                predictions = predict(
                    Inference(model),
                    data,
                    preprocessing=self.ingredients.preprocessing,
                    problem=self._problem(best=load_best_model).renamed(label_list),
                    top_k=top_k,
                    batch_size=batch_size or self.config.batch_size,
                )
            seconds = time.perf_counter() - began
            self._fire("predict_end_event", [self._run_state({}, len(predictions), seconds)])
        return (
            [prediction.class_name for prediction in predictions] if return_result else predictions
        )

    # Saving and loading

    def save_checkpoint(self) -> Path:
        """Write the resumable state; the previous one is replaced in one go."""
        state, metrics = self._folder.state, self._assembly.part.model.metrics
        return save_state(state, self.classifier, self.progress, self._identity(), metrics=metrics)

    def load_checkpoint(self) -> bool:
        """Take over the state in `checkpoint_dir`.

        Returns:
            Whether there was one.

        Raises:
            CheckpointError: it belongs to another run.
        """
        found = self._folder.previous(self._identity())
        if found is None:
            return False
        restore_weights(self._folder.state, self.classifier)
        take_over(self.progress, found, max_seconds=self.config.max_seconds)
        self._has_weights, self._restored_from = True, self._folder.state
        return True

    def save_best_model(self) -> Path:
        """Write the current weights as `best_model`, whole or not at all."""
        with averaged_weights(self.classifier):
            return self._save_bundle(self._folder.best_model, self.classifier, self._fitted)

    def save_inference_model(
        self,
        dirname: str | Path,
        model_filename: str | None = None,
        params_filename: str | None = None,
    ) -> Path:
        """Write the best model as a bundle of its own.

        The bundle needs nothing else: `hubcls.load(dirname).predict(images)`.

        Args:
            dirname: the bundle's folder.
            model_filename: PaddleHub's argument; a bundle's files have fixed names.
            params_filename: likewise.

        Raises:
            CheckpointError: nothing has been trained yet.
        """
        if model_filename is not None or params_filename is not None:
            logger.warning("model_filename and params_filename have no effect in hubcls")
        return self._save_bundle(Path(dirname), self._best_bundle().model, self._problem(best=True))

    # What handlers and the training loop call

    def step_done(self, state: RunState) -> None:
        """Pass one step on to its hooks."""
        self._last_state = state
        self._fire("run_step_event", state)

    def log_due(self, state: RunState) -> None:
        """Pass `log_interval` steps on to their hooks."""
        self._fire("log_interval_event", [state])

    def evaluation_due(self, state: RunState) -> None:
        """Let the hooks evaluate."""
        self._last_state = state
        self._fire("eval_interval_event")

    def save_due(self) -> None:
        """Let the hooks save."""
        self._fire("save_ckpt_interval_event")

    def record(self, evaluation: Evaluation) -> None:
        """Count an evaluation as one of the run: it may be its best, and stop it early."""
        self._fitted = evaluation.fitted
        scores = {**evaluation.scores, "loss": evaluation.loss}
        self.progress.record(scores, self._last_state.metrics)
        write_history(self._folder.history, self.progress.history)
        for name, value in scores.items():
            self.visualization.scalar(f"val/{name}", value, self.progress.step)

    def advance(self, steps: int) -> None:
        """Move the progress bar."""
        self._advance(steps)

    def is_best_so_far(self) -> bool:
        """Whether the latest evaluation is the best of the run."""
        evaluations = self.progress.evaluations
        return bool(evaluations) and self.progress.best is evaluations[-1]

    def describe_run(self) -> str:
        """Devices, precision, batch, length and strategy in one line."""
        return run_line(self._assembly, self.config)

    # Inside

    def _run(self, *, evaluates: bool) -> bool:
        """Train what is left to train; whether there was anything."""
        assembly, progress = self._assembly, self.progress
        self._fire("build_env_end_event")
        self._resume()
        if self._has_weights and (progress.is_finished or progress.step >= progress.total_steps):
            logger.info("%s", finished_line(assembly, self.config))
            return False
        section = task_section(self, self._arguments)
        values = config_values(self.ingredients, assembly, self.config, section)
        self._folder.write_config(values)
        if not self._has_weights:
            self._start(evaluates=evaluates)
        show_config_and_samples(self.visualization, self.ingredients, assembly, values)
        self._fire("finetune_start_event")
        with progress_bar(progress.total_steps - progress.step, "fine-tuning", "step") as advance:
            self._advance = advance
            try:
                fit(self._fitting(evaluates=evaluates))
            finally:
                self._advance = lambda _: None
                self._restored_from = None
        self._fire("save_ckpt_interval_event")
        self._fire("finetune_end_event", [self._last_state])
        return True

    def _resume(self) -> None:
        """Go on with the run in the folder, or start over, as `config.resume` says."""
        if self._restored_from is not None and self.config.resume is False:
            raise CheckpointError(
                f"resume=False starts over, but this task has taken over the run in "
                f"{self.config.folder} already, to evaluate or predict with it; make a new task"
            )
        if self._has_weights:
            return
        if self.config.resume is False:
            self._folder.remove_run()
        elif not self.load_checkpoint() and self.config.resume is True:
            raise CheckpointError(
                f"resume=True, but {self.config.folder} holds no run; "
                "check checkpoint_dir, or pass resume='auto'"
            )

    def _start(self, *, evaluates: bool) -> None:
        """Do what comes before the first step, and save it: a kill then repeats nothing."""
        began = time.perf_counter()
        is_probed = self._assembly.plan.starts_from_probe and start_from_probe(
            self._assembly, self.ingredients
        )
        self._has_weights = True
        if evaluates and (is_probed or self.progress.num_epoch == 0):
            self._fire("eval_interval_event")
        self.progress.seconds += time.perf_counter() - began
        self._fire("save_ckpt_interval_event")

    def _check_validation(self, evaluates: bool) -> None:
        if self.config.early_stopping is not None and not evaluates:
            raise ConfigError(
                "early_stopping needs evaluations: call finetune_and_eval() or "
                "finetune(do_eval=True), or leave early_stopping out"
            )
        if evaluates and not self.ingredients.dataset.has("val"):
            raise ConfigError("there is no validation split; call finetune() to train without one")

    @contextlib.contextmanager
    def _phase(self, phase: str) -> Iterator[None]:
        before, self.phase = self.phase, phase
        try:
            yield
        finally:
            self.phase = before

    @contextlib.contextmanager
    def _weights(self, *, best: bool) -> Iterator[keras.Model]:
        """The best model, or the classifier with its current (averaged) weights."""
        if best:
            yield self._best_bundle().model
            return
        if not self._has_weights and not self.load_checkpoint():
            raise CheckpointError(
                f"nothing has been trained: {self.config.folder} holds no run; "
                "call finetune_and_eval() first"
            )
        with averaged_weights(self.classifier):
            yield self.classifier

    def _problem(self, *, best: bool) -> Problem:
        """What logits mean; of the best model, with the thresholds that it was saved with."""
        return self._best_bundle().problem if best else self.ingredients.problem

    def _fitting(self, *, evaluates: bool) -> Fitting:
        assembly = self._assembly
        return Fitting(
            part=assembly.part,
            plan=assembly.plan,
            groups=assembly.groups,
            progress=assembly.progress,
            config=self.config,
            class_weights=assembly.class_weights,
            listener=self,
            evaluates=evaluates,
            resumed_from=self._restored_from,
        )

    def _as_run_state(self, evaluation: Evaluation) -> RunState:
        metrics = {"loss": evaluation.loss, **evaluation.scores}
        return self._run_state(metrics, evaluation.num_examples, evaluation.seconds)

    def _run_state(self, metrics: dict[str, float], examples: int, seconds: float) -> RunState:
        return RunState(
            step=self.progress.step,
            total_steps=self.progress.total_steps,
            epoch=self.progress.epoch,
            metrics=metrics,
            run_examples=examples,
            run_time_used=seconds,
        )

    def _best_bundle(self) -> Bundle:
        if not self._folder.has_best_model:
            raise CheckpointError(
                f"{self.config.folder} holds no best_model yet; call finetune_and_eval() first"
            )
        saved_at = self._folder.best_model_time()
        if self._loaded is None or self._loaded[0] != saved_at:
            self._loaded = (saved_at, load_bundle(self._folder.best_model))
        return self._loaded[1]

    def _save_bundle(self, folder: Path, model: keras.Model, problem: Problem) -> Path:
        return save_bundle(
            folder,
            model,
            problem=problem,
            preprocessing=self.ingredients.preprocessing,
            module_name=str(self.ingredients.module["name"]),
        )

    def _identity(self) -> dict[str, Any]:
        return identity(self.ingredients, self._assembly, self.config, self.head)
