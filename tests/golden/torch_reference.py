"""Networks of timm and torchvision with drawn weights."""

import timm
import torch
import torchvision
from recipes import drawn_weight, is_drawn
from statistics_of_stages import Recorder, flatten

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
        modules = dict(self._model.named_modules())
        self._recorder = Recorder(case.stages, modules, behind="register_forward_hook")

    @torch.inference_mode()
    def run(self, pixels, dtype):
        """The outputs for one image [H, W, 3], and the stages' statistics [S, 2]."""
        self._recorder.forget()
        model = self._model.to(DTYPES[dtype])
        inputs = torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()).to(DTYPES[dtype])
        outputs = [output.numpy() for output in flatten(model(inputs))]
        return outputs, self._recorder.statistics()


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
