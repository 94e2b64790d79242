"""Name what is on images, with the classifier that img_classifier.py made.

sh examples/image_classification/run_predict.sh photo.jpg folder_of_photos

Without images it takes a few from the data set's test split, written as files beside the
classifier. PaddleHub's script had to be told module and data set; here the saved
classifier knows both, and `--module` is taken and not needed.
"""

import argparse
import os
from pathlib import Path

from flags import add_common_flags, run_with_clear_errors
from PIL import Image

import hubcls as hub

NUM_SAMPLES = 5


def main() -> None:
    """Load the best model and print names and probabilities."""
    arguments = parse_arguments()
    if not arguments.use_gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    classifier = hub.load(arguments.checkpoint_dir)
    images = arguments.images or write_samples(arguments)

    predictions = classifier.predict(images, top_k=arguments.top_k, batch_size=arguments.batch_size)
    for prediction in predictions:
        answers = ", ".join(f"{name} {share:.4f}" for name, share in prediction.top)
        print(f"{prediction.source}: {answers}")


def parse_arguments() -> argparse.Namespace:
    """PaddleHub's flags, and the images to look at."""
    parser = argparse.ArgumentParser(description="Name what is on images.")
    parser.add_argument("images", nargs="*", help="files or folders (default: some test images)")
    add_common_flags(parser)
    parser.add_argument("--top_k", type=int, default=3, help="answers for each image")
    return parser.parse_args()


def write_samples(arguments: argparse.Namespace) -> list[str]:
    """The first test images of the data set as files, their class in the name."""
    dataset = hub.datasets.open_dataset(arguments.dataset)
    names = dataset.get_labels()
    folder = Path(arguments.checkpoint_dir) / "test_images"
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, example in enumerate(dataset.get_test_examples()[:NUM_SAMPLES]):
        if isinstance(example.image, str):
            files.append(example.image)
            continue
        file = folder / f"{number}_is_{names[example.label]}.png"
        Image.fromarray(example.image.squeeze()).save(file)
        files.append(str(file))
    return files


if __name__ == "__main__":
    run_with_clear_errors(main)
