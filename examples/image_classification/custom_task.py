"""Your own head: layers on the features that a module's context gives."""

import keras

import hubcls

module = hubcls.Module(name="efficientnet_lite0_imagenet", input_size=96)
inputs, outputs, _ = module.context(trainable=True)

# Any Keras layers; the task puts the last one, with an output for each class, on top.
features = keras.layers.LayerNormalization(name="own_norm")(outputs["feature_map"])
features = keras.layers.Dense(128, activation="gelu", name="own_dense")(features)

dataset = hubcls.datasets.Digits()
reader = hubcls.reader.ImageClassificationReader(
    image_width=module.get_expected_image_width(),
    image_height=module.get_expected_image_height(),
    dataset=dataset,
)
task = hubcls.ImageClassifierTask(
    feature=features,
    feed_list=[inputs["image"].name],
    data_reader=reader,
    num_classes=dataset.num_labels,
    config=hubcls.RunConfig(num_epoch=1, checkpoint_dir="ckpt_own_head"),
)
task.finetune_and_eval()
