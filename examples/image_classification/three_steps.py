"""The whole job in three steps: a module, a data set, a measured classifier."""

import hubcls

module = hubcls.Module(name="efficientnet_lite0_imagenet")
dataset = hubcls.datasets.Digits()
task = hubcls.ImageClassifierTask(
    module=module,
    dataset=dataset,
    config=hubcls.RunConfig(num_epoch=1, checkpoint_dir="ckpt_digits"),
)
task.finetune_and_eval()

image = dataset.get_test_examples()[0].image
for prediction in task.predict([image], top_k=3):
    print(prediction.class_name, f"{prediction.probability:.3f}", prediction.top)
