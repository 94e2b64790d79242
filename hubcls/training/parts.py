"""The part of a classifier that trains, and the batches that it trains on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import keras

from hubcls.errors import TrainingError
from hubcls.features.cutting import Trunk, frozen_trunk
from hubcls.features.passing import Features, features_of
from hubcls.logs import logger
from hubcls.pipeline.building import TrainingStream
from hubcls.training.run_config import CachedViews

_ALL_LAYERS = "through all layers"


class TrainedPart:
    """What `fit` trains, and on what: all of a classifier, or what stands above frozen layers.

    While lower layers are frozen, each image goes through them once, ever; what trains is
    the rest, from there, with the same variables and the same optimizer.

    Attributes:
        classifier: all of it.
        model: what trains now; it shares its layers with the classifier.
        stream: its batches.
        route: the way that a batch goes, in words.
        is_fresh: whether it follows the layers that are open now.
    """

    def __init__(
        self,
        classifier: keras.Model,
        images: TrainingStream,
        *,
        body: Sequence[keras.layers.Layer],
        cached_views: CachedViews,
        compile_arguments: Callable[[], dict[str, Any]],
    ) -> None:
        """Begin with all of it.

        Args:
            classifier: compiled.
            images: its batches.
            body: the layers below the head that a strategy may open.
            cached_views: as in `RunConfig`.
            compile_arguments: gives loss and metrics for another model to be compiled with.
        """
        self.classifier = self.model = classifier
        self.stream = self._images = images
        self.route = _ALL_LAYERS
        self.is_fresh = False
        self._body = body
        self._cached_views = cached_views
        self._compile_arguments = compile_arguments

    def refresh(self) -> None:
        """Follow the layers that are open now.

        Raises:
            TrainingError: several views are asked for, but cannot be kept.
        """
        self.is_fresh = True
        self.model, self.stream, self.route = self.classifier, self._images, _ALL_LAYERS
        num_views = self._num_views()
        trunk = frozen_trunk(self.classifier) if num_views else None
        if trunk is not None:
            features = self._features(trunk, num_views)
            self.stream = replace(self._images, features=features, augmentation=None)
            if features is None:
                self.model = _both_parts(trunk)
                self.route = f"{_ALL_LAYERS}, for features of {trunk.top} cannot be kept"
            else:
                self.model = trunk.upper
                self.route = f"from features of {trunk.top}"
            self.model.compile(optimizer=self.classifier.optimizer, **self._compile_arguments())
        # The traced step holds the variables that trained before.
        self.model.train_function = None

    def _num_views(self) -> int:
        """Views of each image to keep, 0 for showing the images themselves."""
        if self._cached_views != "auto":
            return self._cached_views
        augmentation = self._images.augmentation
        if augmentation is None:
            return 1
        is_body_frozen = not any(layer.trainable for layer in self._body)
        return 1 if is_body_frozen and not augmentation.mixes_targets else 0

    def _features(self, trunk: Trunk, num_views: int) -> Features | None:
        split = self._images.split
        logger.info(
            "frozen up to %s: training sees %d images in %d view(s), which go through it once",
            trunk.top,
            len(split),
            num_views,
        )
        features = features_of(
            trunk,
            split,
            self._images.preprocessing,
            title="features of train",
            augmentation=self._images.augmentation,
            num_views=num_views,
        )
        if features is None and num_views > 1:
            raise TrainingError(
                f"{num_views} views of {len(split)} images cannot be kept; the log says why. Make "
                "room, or lower cached_views"
            )
        return features


def _both_parts(trunk: Trunk) -> keras.Model:
    """What training from kept features computes, where none can be kept."""
    image = trunk.whole.input
    return keras.Model(image, trunk.upper(_Resting(trunk.model)(image)))


class _Resting(keras.layers.Layer):
    """A network in inference mode, also while the one around it trains.

    A functional model hands its own `training` on to all layers, even to a model that was
    called with `training=False` (keras 3.15, issue 20285).
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(dtype=network.dtype_policy)
        self._network = network

    def call(self, images: Any) -> Any:
        return self._network(images, training=False)
