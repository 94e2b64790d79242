"""Names that PaddlePaddle's static programs gave to variables, where PaddleClas has lost them.

PaddleClas 2.6.0 still states the names of most networks (`make_references.py --static-names`),
but wrote ResNet, MobileNet and VGG anew without them. Those of the programs that made the
archives are counted here, layer by layer, as PaddlePaddle/models did in
PaddleCV/image_classification/models: resnet.py, resnet_vd.py, resnet_acnet.py, vgg.py,
mobilenet_v1.py, mobilenet_v3.py. Layers and leaves come in the order of PaddleClas's keys.
"""

BN_LEAVES = ("scale", "offset", "mean", "variance")
SE_STAGES = {"large": {3, 4, 5, 10, 11, 12, 13, 14}, "small": {0, *range(3, 11)}}


def names_of(model):
    """The variables' names of a model that PaddleClas has written anew, in order; or None."""
    kind, _, variant = model.partition("_")
    if kind in VGG:
        return vgg(VGG[kind])
    if kind in DEPTHS and variant in ("", "vd"):
        return resnet(DEPTHS[kind], is_basic=kind in ("ResNet18", "ResNet34"), is_vd=bool(variant))
    if kind == "MobileNetV1":
        return mobilenet_v1()
    if kind == "MobileNetV3":
        return mobilenet_v3(SE_STAGES[variant.split("_")[0]])
    return None


VGG = {
    "VGG11": (1, 1, 2, 2, 2),
    "VGG13": (2, 2, 2, 2, 2),
    "VGG16": (2, 2, 3, 3, 3),
    "VGG19": (2, 2, 4, 4, 4),
}
DEPTHS = {
    "ResNet18": (2, 2, 2, 2),
    "ResNet34": (3, 4, 6, 3),
    "ResNet50": (3, 4, 6, 3),
    "ResNet101": (3, 4, 23, 3),
    "ResNet152": (3, 8, 36, 3),
    "ResNet200": (3, 12, 48, 3),
}


def vgg(counts):
    """Convolutions without biases, then three dense layers."""
    names = [
        f"conv{stage}_{place}_weights"
        for stage, count in enumerate(counts, start=1)
        for place in range(1, count + 1)
    ]
    return [*names, *(f"fc{i}_{leaf}" for i in (6, 7, 8) for leaf in ("weights", "offset"))]


def resnet(depths, *, is_basic, is_vd):
    """Blocks of a stage have letters, those of the long third stage numbers."""
    layers = [f"conv1_{i}" for i in (1, 2, 3)] if is_vd else ["conv1"]
    for stage, depth in enumerate(depths, start=2):
        for place in range(depth):
            mark = chr(ord("a") + place)
            if sum(depths) > 16 and stage == 4 and place:
                mark = f"b{place}"
            block = f"res{stage}{mark}_branch"
            layers += [f"{block}2{letter}" for letter in ("ab" if is_basic else "abc")]
            if not place:
                layers.append(f"{block}1")
    names = []
    for layer in layers:
        bn = f"bn_{layer}" if layer == "conv1" else f"bn{layer[3:]}"
        names += [f"{layer}_weights", *(f"{bn}_{leaf}" for leaf in BN_LEAVES)]
    return [*names, "fc_0.w_0", "fc_0.b_0"]


def mobilenet_v1():
    """Depthwise and pointwise layers of thirteen blocks."""
    counts = {2: 2, 3: 2, 4: 2, 5: 6}
    blocks = [f"conv{stage}_{i}" for stage, n in counts.items() for i in range(1, n + 1)]
    layers = [
        "conv1",
        *(f"{block}_{part}" for block in (*blocks, "conv6") for part in ("dw", "sep")),
    ]
    return [*_normalised(layers), "fc7_weights", "fc7_offset"]


def mobilenet_v3(with_gates):
    """Expanding, depthwise, weighing and projecting layers; `with_gates` are blocks from 0."""
    names = _normalised(["conv1"])
    for i in range(15 if 14 in with_gates else 11):
        names += _normalised([f"conv{i + 2}_expand", f"conv{i + 2}_depthwise"])
        if i in with_gates:
            gate = f"conv{i + 2}_se"
            names += [f"{gate}_{j}_{leaf}" for j in (1, 2) for leaf in ("weights", "offset")]
        names += _normalised([f"conv{i + 2}_linear"])
    return [*names, *_normalised(["conv_last"]), "last_1x1_conv_weights", "fc_weights", "fc_offset"]


def _normalised(layers):
    return [
        name
        for layer in layers
        for name in (f"{layer}_weights", *(f"{layer}_bn_{leaf}" for leaf in BN_LEAVES))
    ]


def acnet(table):
    """A ResNet's table as ACNet leaves it, with BatchNorm only behind the 1×1 convolutions.

    Args:
        table: name to shape, as text.
    """
    result, is_fused = {}, False
    for name, shape in table.items():
        if name.endswith("_weights"):
            is_fused = not shape.endswith("x1x1")
        if not is_fused or name.startswith("fc"):
            result[name] = shape
        elif name.endswith("_weights"):
            layer = name.removesuffix("_weights")
            result[f"{layer}_acsquare_weights"] = shape
            result[f"{layer}_acsquare_bias"] = shape.split("x")[0]
    return result
