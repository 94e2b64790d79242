"""Your own photos: a folder with one sub-folder a class is a data set.

The photos here are drawn, so that the script runs anywhere; put your own folder in.
"""

import random
from pathlib import Path

from PIL import Image, ImageDraw

import hubcls

SHAPES = ("circle", "square", "triangle")


def draw_photos(folder: Path, *, per_class: int) -> None:
    """Fill `folder/<shape>/<number>.png` with shapes of random colour, size and place."""
    chance = random.Random(0)  # noqa: S311 - drawings, not secrets
    for shape in SHAPES:
        (folder / shape).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            draw_shape(shape, chance).save(folder / shape / f"{number:03d}.png")


def draw_shape(shape: str, chance: random.Random) -> Image.Image:
    """One shape on a plain ground, 96 x 96 pixels."""
    ground, colour = (tuple(chance.randrange(256) for _ in range(3)) for _ in range(2))
    image = Image.new("RGB", (96, 96), ground)
    radius = chance.randrange(15, 40)
    x, y = (chance.randrange(radius, 96 - radius) for _ in range(2))
    box = (x - radius, y - radius, x + radius, y + radius)
    draw = ImageDraw.Draw(image)
    if shape == "circle":
        draw.ellipse(box, fill=colour)
    elif shape == "square":
        draw.rectangle(box, fill=colour)
    else:
        draw.polygon([(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)], colour)
    return image


def main() -> None:
    """Draw, fine-tune, measure, predict."""
    folder = Path("ckpt_shapes")
    draw_photos(folder / "photos", per_class=40)

    dataset = hubcls.datasets.ImageFolder(folder / "photos")
    print(dataset)
    task = hubcls.ImageClassifierTask(
        module=hubcls.Module(name="efficientnet_lite0_imagenet", input_size=96),
        dataset=dataset,
        config=hubcls.RunConfig(num_epoch=1, batch_size=16, checkpoint_dir=folder / "run"),
    )
    task.finetune_and_eval()

    for prediction in task.predict(
        [str(folder / "photos" / shape / "000.png") for shape in SHAPES]
    ):
        print(prediction.source, prediction.class_name, f"{prediction.probability:.3f}")


if __name__ == "__main__":
    main()
