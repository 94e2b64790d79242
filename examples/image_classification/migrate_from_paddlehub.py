"""The script of PaddleHub 1.8's README. Only the import is another.

Its step 1 named what `context` gives `inputs, outputs`, its step 4 `input_dict,
output_dict`, so that a copy of it ended with a NameError; here they have one name.
"""

import hubcls as hub

module = hub.Module(name="resnet_v2_50_imagenet")
inputs, outputs, program = module.context(trainable=True)

dataset = hub.dataset.Flowers()
data_reader = hub.reader.ImageClassificationReader(
    image_width=module.get_expected_image_width(),
    image_height=module.get_expected_image_height(),
    images_mean=module.get_pretrained_images_mean(),
    images_std=module.get_pretrained_images_std(),
    dataset=dataset,
)

strategy = hub.DefaultFinetuneStrategy(
    learning_rate=1e-4, optimizer_name="adam", regularization_coeff=1e-3
)
config = hub.RunConfig(
    use_cuda=True,
    num_epoch=1,
    checkpoint_dir="cv_finetune_turtorial_demo",
    batch_size=32,
    strategy=strategy,
)

feature_map = outputs["feature_map"]
feed_list = [inputs["image"].name]
task = hub.ImageClassifierTask(
    data_reader=data_reader,
    feed_list=feed_list,
    feature=feature_map,
    num_classes=dataset.num_labels,
    config=config,
)
task.finetune_and_eval()

data = [example.image for example in dataset.get_test_examples()[:2]]
print(task.predict(data=data, return_result=True))
