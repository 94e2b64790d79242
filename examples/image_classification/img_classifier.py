"""Fine-tune a module on a data set and measure it, with the flags of PaddleHub's demo.

sh run_classifier.sh --module resnet50 --dataset flowers --num_epoch 1 --checkpoint_dir ckpt_flowers
"""

import argparse
import os

from flags import add_common_flags, run_with_clear_errors, true_or_false

import hubcls as hub


def main() -> None:
    """Module, data set, settings, and one call."""
    arguments = parse_arguments()
    if not arguments.use_gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    config = hub.RunConfig(
        use_cuda=arguments.use_gpu,
        use_data_parallel=arguments.use_data_parallel,
        num_epoch=arguments.num_epoch,
        batch_size=arguments.batch_size,
        checkpoint_dir=arguments.checkpoint_dir,
    )
    task = hub.ImageClassifierTask(
        module=hub.Module(name=arguments.module),
        dataset=hub.datasets.open_dataset(arguments.dataset),
        config=config,
    )
    results = task.finetune_and_eval()

    for phase, evaluation in results.items():
        scores = ", ".join(f"{name} {value:.4f}" for name, value in evaluation.scores.items())
        print(f"{phase}: {scores} on {evaluation.num_examples} images")
    print(f"everything lies in {config.folder}: best_model, report.json, report.png, history.csv")
    print(f"curves: tensorboard --logdir {config.folder / 'visualization'}")
    print(f"try it: sh examples/image_classification/run_predict.sh {describe_call(arguments)}")


def parse_arguments() -> argparse.Namespace:
    """PaddleHub's flags; what is left out is the strategy's business."""
    parser = argparse.ArgumentParser(description="Fine-tune a module on a data set and measure it.")
    add_common_flags(parser)
    parser.add_argument(
        "--num_epoch", type=int, help="passes over the data (default: by the size of the data)"
    )
    parser.add_argument(
        "--use_data_parallel", type=true_or_false, default=True, help="use all GPUs"
    )
    return parser.parse_args()


def describe_call(arguments: argparse.Namespace) -> str:
    """The flags with which run_predict.sh finds this run."""
    return f"--checkpoint_dir {arguments.checkpoint_dir} --dataset {arguments.dataset}"


if __name__ == "__main__":
    run_with_clear_errors(main)
