"""What the catalogue states of a network's size, counted on the network itself.

    python tests/modules/counting.py NAME [NAME ...]

prints the lines for a row of modules/*.yaml.
"""

import math
import sys

import keras

import hubcls
from hubcls.modules.sources import native


def count_macs(model):
    """Multiplications with addition for one image, in layers and in products of tensors."""
    return sum(
        _macs(operation, node)
        for operation in model.operations
        for node in operation._inbound_nodes
        if node.output_tensors[0].shape is not None
    )


def _macs(operation, node):
    if isinstance(operation, keras.Sequential):
        return count_macs(operation._functional)
    output = math.prod(node.output_tensors[0].shape[1:])
    if isinstance(operation, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
        kernel = operation.kernel.shape
        if isinstance(operation, keras.layers.DepthwiseConv2D):
            return output * kernel[0] * kernel[1]
        return output * math.prod(kernel[:3])
    if isinstance(operation, keras.layers.SeparableConv2D):
        height, width, inputs, times = operation.depthwise_kernel.shape
        places = math.prod(node.output_tensors[0].shape[1:3])
        return places * inputs * times * height * width + output * inputs * times
    if isinstance(operation, keras.layers.Dense):
        return output * operation.kernel.shape[0]
    if type(operation).__name__ == "Matmul":
        return output * node.input_tensors[0].shape[-1]
    return getattr(operation, "num_macs", 0)


def counts(name):
    """num_features, num_parameters and num_macs of a module of ours or of keras.applications."""
    module = hubcls.Module(name=name, weights=None)
    backbone = module.backbone
    return {
        "num_features": backbone.output.shape[-1],
        "num_parameters": backbone.count_params(),
        "num_macs": sum(map(count_macs, _parts(module))),
    }


def _parts(module):
    """The backbone and the classifier, or both in one network."""
    spec = module.spec
    if spec.source == "native":
        architecture = native.architecture_of(spec)
        return module.backbone, native.head_of(module.backbone, architecture, 1000)
    builder = getattr(keras.applications, spec.builder)
    return (builder(weights=None, input_shape=module.backbone.input_shape[1:], **spec.parameters),)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(name, *(f"    {key}: {value}" for key, value in counts(name).items()), sep="\n")
