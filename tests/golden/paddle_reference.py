"""Networks of PaddleClas with drawn weights, and their parameters' names.

Parameter names are global in Paddle: every network wants a process of its own.
"""

import importlib.util
import logging
import sys
import warnings

from recipes import drawn_weight, is_drawn
from statistics_of_stages import Recorder, flatten

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Paddle misses a compiler cache on import
    import paddle


class Network:
    """The network of a case.

    Attributes:
        shapes: of the weights that were drawn, by key.
    """

    def __init__(self, case):
        self._model = build(case.model, **case.arguments)
        self.shapes = _draw(self._model, gain=case.gain)
        layers = dict(self._model.named_sublayers())
        self._recorder = Recorder(case.stages, layers, behind="register_forward_post_hook")

    @paddle.no_grad()
    def run(self, pixels, dtype):
        """The outputs for one image [H, W, 3], and the stages' statistics [S, 2]."""
        self._recorder.forget()
        paddle.set_default_dtype(dtype)
        # Layer.to would turn index tables into floats as well.
        self._model._to_impl(dtype=dtype, floating_only=True)
        inputs = paddle.to_tensor(pixels.transpose(2, 0, 1)[None].astype(dtype))
        outputs = [output.numpy() for output in flatten(self._model(inputs))]
        return outputs, self._recorder.statistics()


def build(name, **arguments):
    """A model of PaddleClas with a thousand classes, for inference."""
    # The package's own imports call its folder's content top level.
    sys.path.insert(0, importlib.util.find_spec("paddleclas").submodule_search_locations[0])
    from ppcls.arch import backbone
    from ppcls.utils import logger

    # Some constructors warn through a logger that nobody made.
    logger.init_logger(log_level=logging.ERROR)
    constructor = getattr(backbone, name)
    # SE_HRNet_W64_C looks up the address of weights that have none.
    constructor.__globals__.get("MODEL_URLS", {}).setdefault(name, "")
    model = constructor(**{"class_num": 1000, **arguments})
    model.eval()
    return model


def static_names(name, **arguments):
    """Names of a model's weights in one-file-a-tensor checkpoints, by key."""
    return {key: value.name for key, value in build(name, **arguments).state_dict().items()}


def _draw(model, *, gain):
    """Overwrite a model's weights; the shapes by key."""
    parameters = dict(model.named_parameters())
    shapes = {}
    for key, value in model.state_dict().items():
        if value.is_floating_point() and is_drawn(key, is_parameter=key in parameters):
            shapes[key] = tuple(value.shape)
            value.set_value(drawn_weight(key, shapes[key], gain=gain, is_paddle=True))
    return shapes
