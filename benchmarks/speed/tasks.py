"""What is measured, with what, and what it should come to: the tasks of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from speed.rows import HALF, Contestant, Goal, Task, in_bfloat16

# Pixels of the images of T7, for 50,000 of them in some minutes.
SMALL_SIDE = 64


@dataclass(frozen=True)
class Sizes:
    """How much a run measures.

    Attributes:
        frozen: photographs that T1 trains on.
        train: those that the other tasks train on.
        val: and to validate on.
        timed_resnet: photographs of the epoch of ResNet-50.
        folder: photographs to classify (T4) or to read (T3).
        small: photographs of T7's first size.
        large: of its second.
        head_epochs: of T1's rivals.
        epochs: of fastai's `fine_tune`.
        warm_up_steps: steps before T2 looks at the clock.
        max_seconds: of T7's training after its probe.
        script_seconds: after which T5's training ends early, if any.
        timeout_seconds: of any one measurement.
        most_rounds: of any task.
    """

    frozen: int = 1536
    train: int = 1024
    val: int = 256
    timed_resnet: int = 160
    folder: int = 2000
    small: int = 1000
    large: int = 50_000
    head_epochs: int = 5
    epochs: int = 3
    warm_up_steps: int = 8
    max_seconds: float = 30
    script_seconds: float | None = None
    timeout_seconds: float = 900
    most_rounds: int = 3


FULL = Sizes()
QUICK = Sizes(
    frozen=160,
    train=96,
    val=48,
    timed_resnet=96,
    folder=480,
    small=400,
    large=1000,
    warm_up_steps=1,
    max_seconds=5,
    script_seconds=30,
    timeout_seconds=300,
    most_rounds=1,
)

WITHOUT, WITH = "hubcls", "hubcls[openvino]"
KERAS, HUB, TORCH, FASTAI = "plain Keras", "KerasHub", "PyTorch + timm", "fastai"
GUIDE = "image_dataset_from_directory, .cache(), flip and rotation layers, AUTOTUNE, `model.fit`"
LOOP = "channels-last, workers = cores, torchvision decodes, flips"


def tasks(sizes: Sizes, folders: Mapping[str, str]) -> tuple[Task, ...]:
    """Every task at these sizes.

    Args:
        sizes: how much is measured.
        folders: paths of "frozen" (T1's), "photographs", "few" (ResNet-50's), "copies", "small",
            "large" and "prepared".
    """
    return (
        frozen_body(sizes, folders),
        all_layers(sizes),
        resnet(folders),
        stream(folders, epochs=1),
        stream(folders, epochs=3),
        folder(sizes, folders),
        single(folders),
        script(sizes),
        second_run(),
        memory(sizes, folders, trains=True),
        memory(sizes, folders, trains=False),
    )


def frozen_body(sizes: Sizes, folders: Mapping[str, str]) -> Task:
    """T1."""
    torch = Contestant(TORCH, "torch_timm", "frozen", f"{LOOP}; Adam at 1e-3", "torch")
    keras = Contestant(KERAS, "plain_keras", "frozen", f"{GUIDE}; Adam at 1e-3")
    extra = Contestant(WITH, "ours", "frozen", "the same with the extra", overlay="openvino")
    torches = (TORCH, TORCH + HALF)
    rivals = (KERAS, KERAS + HALF, HUB, *torches, FASTAI)
    return Task(
        key="T1",
        title=f"frozen EfficientNet-Lite0: time to the accuracy of {sizes.head_epochs} epochs of "
        f"{sizes.frozen:,} photographs",
        unit="s",
        num_scored=sizes.val,
        settings={
            "photographs": folders["frozen"],
            "epochs": sizes.head_epochs,
            "learning_rate": 1e-3,
        },
        contestants=(
            Contestant(WITHOUT, "ours", "frozen", "`num_epoch=0`: features once, solved probe"),
            extra,
            in_bfloat16(extra),
            keras,
            in_bfloat16(keras),
            Contestant(
                HUB,
                "keras_hub_classifier",
                "frozen",
                "`ImageClassifier.fit`, images as in Keras",
                is_slow=True,
            ),
            torch,
            in_bfloat16(torch),
            Contestant(
                FASTAI,
                "fastai_learner",
                "frozen",
                "`vision_learner`, frozen, `fit_one_cycle`, ChannelsLast, workers = cores, flips",
                "torch",
                settings={"resize": "squish"},
                is_slow=True,
            ),
        ),
        goals=(
            Goal("≥ 6× the fastest rival", WITHOUT, rivals, 6, "reaches"),
            Goal("≥ 10× PyTorch channels-last", WITHOUT, torches, 10, "reaches"),
            Goal("≥ 6×, with OpenVINO", WITH, rivals, 6, "reaches"),
            Goal("≥ 10×, with OpenVINO", WITH, torches, 10, "reaches"),
            Goal("≥ 6×, with OpenVINO in bfloat16", WITH + HALF, rivals, 6, "reaches"),
            Goal("≥ 10×, with OpenVINO in bfloat16", WITH + HALF, torches, 10, "reaches"),
        ),
    )


def all_layers(sizes: Sizes) -> Task:
    """T2, the network with real weights."""
    equal = f"{KERAS}, BatchNorm wholly frozen"
    adam = {"learning_rate": 3e-4, "epochs": 1}
    torch = Contestant(
        TORCH, "torch_timm", "all_layers", f"{LOOP}; Adam at 3e-4", "torch", settings=adam
    )
    plain = Contestant(
        equal,
        "plain_keras",
        "all_layers",
        f"{GUIDE}; Adam at 3e-4",
        settings={**adam, "freezes_batch_norm": True},
    )
    return Task(
        key="T2",
        title="all layers of EfficientNet-Lite0, one epoch, batches of 32",
        unit="images/s",
        settings={"evaluates": True},
        num_scored=sizes.val,
        contestants=(
            Contestant(
                WITHOUT,
                "ours",
                "all_layers",
                "the default: probe, then all layers, BatchNorm wholly frozen, precision by trial",
                settings={"network": "efficientnet_lite0_imagenet"},
            ),
            plain,
            in_bfloat16(plain),
            Contestant(
                KERAS,
                "plain_keras",
                "all_layers",
                "as in its guide; `fit` overrides its training=False, so BatchNorm trains",
                settings=adam,
                is_slow=True,
            ),
            Contestant(
                HUB,
                "keras_hub_classifier",
                "all_layers",
                "`ImageClassifier.fit`; BatchNorm in training mode",
                settings=adam,
                is_slow=True,
            ),
            torch,
            in_bfloat16(torch),
        ),
        goals=(
            Goal("≥ 1.1× plain Keras at equal freezing", WITHOUT, (equal, equal + HALF), 1.1),
            Goal(
                "our default ≥ 1.6× PyTorch channels-last, no less accurate",
                WITHOUT,
                (TORCH, TORCH + HALF),
                1.6,
            ),
        ),
    )


def resnet(folders: Mapping[str, str]) -> Task:
    """T2, pure speed."""
    adam = {"learning_rate": 1e-3, "epochs": 1}
    full = Contestant(
        WITHOUT,
        "ours",
        "all_layers",
        "the default strategy; nothing is pretrained, so BatchNorm trains",
        settings={"network": "resnet50_imagenet", "mixed_precision": "float32"},
    )
    keras = Contestant(
        KERAS,
        "plain_keras",
        "all_layers",
        "the same graph",
        settings=adam,
    )
    hub = Contestant(
        HUB,
        "keras_hub_classifier",
        "all_layers",
        "`ImageClassifier.fit`",
        settings=adam,
        is_slow=True,
    )
    torch = Contestant(TORCH, "torch_timm", "all_layers", LOOP, "torch", settings=adam)
    rivals = (keras, hub, torch)
    names = tuple(each.name for each in rivals)
    return Task(
        key="T2b",
        title="all layers of ResNet-50 with random weights, batches of 32",
        unit="images/s",
        settings={
            "evaluates": False,
            "network": "resnet50",
            "photographs": folders["few"],
            "warm_up_steps": 2,
        },
        contestants=(
            full,
            in_bfloat16(full),
            *(row for each in rivals for row in (each, in_bfloat16(each))),
        ),
        goals=(
            Goal("≥ 1.2× the fastest rival, float32", WITHOUT, names, 1.2),
            Goal(
                "≥ 1.2× the fastest rival, bfloat16",
                WITHOUT + HALF,
                tuple(name + HALF for name in names),
                1.2,
            ),
        ),
    )


def stream(folders: Mapping[str, str], *, epochs: int) -> Task:
    """T3, the first epoch, or later ones with what is decoded kept."""
    is_cached = epochs > 1
    bound = 5.0 if is_cached else 2.0
    ours = "hubcls, decoded_cache=True" if is_cached else WITHOUT
    return Task(
        key="T3b" if is_cached else "T3",
        title=f"photographs to augmented batches, {'later epochs' if is_cached else 'first epoch'}",
        unit="images/s",
        settings={"epochs": epochs, "cached": is_cached, "folder": folders["copies"]},
        contestants=(
            Contestant(ours, "ours", "stream", "random resized crop, flip, colour jitter"),
            Contestant(
                KERAS,
                "plain_keras",
                "stream",
                "image_dataset_from_directory, RandomCrop of 256 to 224, RandomFlip, "
                f"RandomColorJitter{', .cache() of what is decoded' if is_cached else ''}",
            ),
            Contestant(
                "torchvision",
                "torch_timm",
                "stream",
                "DataLoader, workers = cores, decode_image, v2 transforms on uint8",
                "torch",
            ),
        ),
        goals=(
            Goal(f"≥ {bound:g}× plain Keras", ours, (KERAS,), bound),
            Goal(f"≥ {bound:g}× torchvision's DataLoader", ours, ("torchvision",), bound),
        ),
    )


def folder(sizes: Sizes, folders: Mapping[str, str]) -> Task:
    """T4, many photographs."""
    torch = Contestant(TORCH, "torch_timm", "folder", LOOP.replace(", flips", ""), "torch")
    extra = Contestant(WITH, "ours", "folder", "the same with the extra", overlay="openvino")
    rivals = (KERAS, TORCH, TORCH + HALF)
    return Task(
        key="T4",
        title="a folder of photographs to a CSV of classes, whole process",
        unit="s",
        figure="wall_seconds",
        settings={"folder": folders["copies"]},
        num_scored=sizes.folder,
        contestants=(
            Contestant(WITHOUT, "ours", "folder", "`hubcls predict --input FOLDER --csv`"),
            extra,
            in_bfloat16(extra),
            Contestant(KERAS, "plain_keras", "folder", "`model.predict`, AUTOTUNE"),
            torch,
            in_bfloat16(torch),
        ),
        goals=(
            Goal("≥ 1.8× the fastest rival", WITHOUT, rivals, 1.8),
            Goal("≥ 1.8×, with OpenVINO", WITH, rivals, 1.8),
            Goal("≥ 1.8×, with OpenVINO in bfloat16", WITH + HALF, rivals, 1.8),
        ),
    )


def single(folders: Mapping[str, str]) -> Task:
    """T4, one photograph."""
    return Task(
        key="T4b",
        title="one photograph, from its path to its class, in a warm process",
        unit="ms",
        rounds=3,
        settings={"folder": folders["copies"]},
        contestants=(
            Contestant(WITHOUT, "ours", "single", "`hubcls.load(…).predict(path)`"),
            Contestant(WITH, "ours", "single", "the same with the extra", overlay="openvino"),
            Contestant(KERAS, "plain_keras", "single", "load_img, `model.predict`"),
            Contestant(TORCH, "torch_timm", "single", "channels-last, inference mode", "torch"),
        ),
        goals=(
            Goal("≥ 3× `model.predict`", WITHOUT, (KERAS,), 3),
            Goal("≥ 3× `model.predict`, with OpenVINO", WITH, (KERAS,), 3),
        ),
    )


def script(sizes: Sizes) -> Task:
    """T5."""
    return Task(
        key="T5",
        title=f"the default three steps, to the accuracy of fastai's fine_tune({sizes.epochs})",
        unit="s",
        rounds=1,
        num_scored=sizes.val,
        settings={"epochs": sizes.epochs, "max_seconds": sizes.script_seconds},
        contestants=(
            Contestant(WITHOUT, "ours", "script", "Module, ImageFolder, `finetune_and_eval`"),
            Contestant(
                FASTAI,
                "fastai_learner",
                "fine_tune",
                "`vision_learner`, ChannelsLast, workers = cores, Resize(224) and Flip",
                "torch",
            ),
        ),
        goals=(Goal("≥ 5× faster", WITHOUT, (FASTAI,), 5, "reaches"),),
    )


def second_run() -> Task:
    """T6."""
    first, second = "first run", "second run, another learning rate"
    return Task(
        key="T6",
        title="the probe phase: from the built classifier to its first evaluation, same data",
        unit="s",
        contestants=(
            Contestant(first, "ours", "probe", "no caches", settings={"learning_rate": 4e-4}),
            Contestant(
                second,
                "ours",
                "probe",
                "what the first run left in hubcls' home folder",
                settings={"learning_rate": 2e-4},
                keeps_home=True,
            ),
        ),
        goals=(Goal("≥ 10× faster than the first run", second, (first,), 10),),
    )


def memory(sizes: Sizes, folders: Mapping[str, str], *, trains: bool) -> Task:
    """T7, of training or of prediction."""
    few, many = f"{sizes.small:,} images", f"{sizes.large:,} images"
    does = "training_memory" if trains else "folder"
    words = (
        f"Lite0 at {SMALL_SIDE} pixels: probe on all, then {sizes.max_seconds:g} s of training"
        if trains
        else f"`hubcls predict --csv`, Lite0 at {SMALL_SIDE} pixels"
    )
    return Task(
        key="T7" if trains else "T7b",
        title=f"peak memory of {'training' if trains else 'prediction'}",
        unit="MB",
        figure="peak_megabytes",
        rounds=1,
        settings={
            "input_size": SMALL_SIDE,
            "max_seconds": sizes.max_seconds,
            "checkpoint": f"{folders['prepared']}/checkpoint_{SMALL_SIDE}",
        },
        contestants=(
            Contestant(few, "ours", does, words, settings={"folder": folders["small"]}),
            Contestant(many, "ours", does, words, settings={"folder": folders["large"]}),
        ),
        goals=(Goal("flat (± 200 MB)", many, (few,), 200, "flat"),),
    )
