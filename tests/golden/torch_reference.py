"""What timm and torchvision answer, in float64."""

import timm
import torch
import torchvision
from recipes import drawn_weight, is_drawn
from references import as_answer, flatten, statistics, sub_modules

DTYPES = {"float64": torch.float64, "float32": torch.float32}
BUILDERS = {
    "timm": lambda name, **arguments: timm.create_model(name, pretrained=False, **arguments),
    "torchvision": lambda name, **arguments: torchvision.models.get_model(
        name, weights=None, **arguments
    ),
}


@torch.inference_mode()
def answer(case, pixels, *, dtype="float64"):
    """The answer of a model with drawn weights to one image [H, W, 3]."""
    torch.set_num_threads(2)
    model = BUILDERS[case.library](case.model, **case.arguments).eval()
    shapes = draw(model, gain=case.gain)
    model = model.to(DTYPES[dtype])
    recorded = record(model, case.stages)
    inputs = torch.from_numpy(pixels).permute(2, 0, 1)[None].to(DTYPES[dtype])
    outputs = [output.numpy() for output in flatten(model(inputs))]
    return as_answer(outputs, recorded, shapes, dtype)


def draw(model, *, gain):
    """Overwrite a model's weights; the shapes by key."""
    parameters = dict(model.named_parameters())
    shapes = {}
    for key, value in model.state_dict().items():
        if value.is_floating_point() and is_drawn(key, is_parameter=key in parameters):
            shapes[key] = tuple(value.shape)
            value.copy_(torch.from_numpy(drawn_weight(key, shapes[key], gain=gain)))
    return shapes


def record(model, stages):
    """Lists, by stage, that fill with the statistics of its outputs when the model runs."""
    recorded = {stage: [] for stage in stages}
    for stage, module in sub_modules(dict(model.named_modules()), stages).items():

        def keep(_module, _inputs, output, values=recorded[stage]):
            values.append(statistics([tensor.numpy() for tensor in flatten(output)]))

        module.register_forward_hook(keep)
    return recorded
