"""Networks of timm and torchvision with drawn weights."""

import timm
import torch
import torchvision
from recipes import drawn_weight, is_drawn
from statistics_of_stages import flatten, statistics, sub_modules

DTYPES = {"float64": torch.float64, "float32": torch.float32}
BUILDERS = {
    "timm": lambda name, **arguments: timm.create_model(name, pretrained=False, **arguments),
    "torchvision": lambda name, **arguments: torchvision.models.get_model(
        name, weights=None, **arguments
    ),
}


class Network:
    """The network of a case.

    Attributes:
        shapes: of the weights that were drawn, by key.
    """

    def __init__(self, case):
        torch.set_num_threads(2)
        self._model = BUILDERS[case.library](case.model, **case.arguments).eval()
        self.shapes = _draw(self._model, gain=case.gain)
        self._stages = {}
        modules = sub_modules(dict(self._model.named_modules()), case.stages)
        for stage, module in modules.items():
            module.register_forward_hook(self._recorder(stage))

    @torch.inference_mode()
    def run(self, pixels, dtype):
        """The outputs for one image [H, W, 3], and by stage the statistics of each call."""
        self._stages.clear()
        model = self._model.to(DTYPES[dtype])
        inputs = torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()).to(DTYPES[dtype])
        outputs = [output.numpy() for output in flatten(model(inputs))]
        return outputs, dict(self._stages)

    def _recorder(self, stage):
        def record(_module, _inputs, output):
            values = statistics([tensor.numpy() for tensor in flatten(output)])
            self._stages.setdefault(stage, []).append(values)

        return record


@torch.no_grad()
def _draw(model, *, gain):
    """Overwrite a model's weights; the shapes by key."""
    parameters = dict(model.named_parameters())
    shapes = {}
    for key, value in model.state_dict().items():
        if value.is_floating_point() and is_drawn(key, is_parameter=key in parameters):
            shapes[key] = tuple(value.shape)
            value.copy_(torch.from_numpy(drawn_weight(key, shapes[key], gain=gain)))
    return shapes
