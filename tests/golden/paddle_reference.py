"""What PaddleClas answers, in float64 where its layers can, and its parameters' names.

Parameter names are global in Paddle: every function here wants a process of its own.
"""

import importlib.util
import logging
import sys
import warnings

import numpy as np
from recipes import drawn_weight, is_drawn
from references import as_answer, flatten, statistics, sub_modules

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Paddle misses a compiler cache on import
    import paddle


def answer(case, pixels, *, dtype="float64"):
    """The answer of a model with drawn weights to one image [H, W, 3]."""
    paddle.set_default_dtype(dtype)
    model = build(case.model, **case.arguments)
    model.to(dtype=dtype)  # BatchNorm ignores the default type
    shapes = draw(model, gain=case.gain)
    recorded = record(model, case.stages)
    inputs = paddle.to_tensor(pixels.transpose(2, 0, 1)[None].astype(dtype))
    with paddle.no_grad():
        outputs = [output.numpy() for output in flatten(model(inputs))]
    return as_answer(outputs, recorded, shapes, dtype)


def build(name, **arguments):
    """A model of PaddleClas with a thousand classes, for inference."""
    # The package's own imports call its folder's content top level.
    sys.path.insert(0, importlib.util.find_spec("paddleclas").submodule_search_locations[0])
    from ppcls.arch import backbone
    from ppcls.utils import logger

    # Some constructors warn through a logger that nobody made.
    logger.init_logger(log_level=logging.ERROR)
    model = getattr(backbone, name)(**{"class_num": 1000, **arguments})
    model.eval()
    return model


def draw(model, *, gain):
    """Overwrite a model's weights; the shapes by key."""
    parameters = dict(model.named_parameters())
    shapes = {}
    for key, value in model.state_dict().items():
        if value.is_floating_point() and is_drawn(key, is_parameter=key in parameters):
            shapes[key] = tuple(value.shape)
            weight = drawn_weight(key, shapes[key], gain=gain, is_paddle=True)
            value.set_value(weight.astype(value.numpy().dtype))
    return shapes


def record(model, stages):
    """Lists, by stage, that fill with the statistics of its outputs when the model runs."""
    recorded = {stage: [] for stage in stages}
    for stage, layer in sub_modules(dict(model.named_sublayers()), stages).items():

        def keep(_layer, _inputs, output, values=recorded[stage]):
            values.append(statistics([np.asarray(tensor) for tensor in flatten(output)]))

        layer.register_forward_post_hook(keep)
    return recorded


def static_names(name, **arguments):
    """Names of a model's weights in one-file-a-tensor checkpoints, by key."""
    return {key: value.name for key, value in build(name, **arguments).state_dict().items()}
