"""own.py: an operator without a name in the format keeps its own, with its tensors and its arguments."""

import torch

from lastbit.torch.call import Layer


def own_name(call):
    inputs, attributes = {}, {}
    for name, value in call.arguments.items():
        if name == "out" or value is None:
            continue
        if isinstance(value, torch.Tensor):
            inputs[name] = value
        elif isinstance(value, (list, tuple)) and any(isinstance(item, torch.Tensor) for item in value):
            inputs.update({f"{name}{index}": item for index, item in enumerate(value) if isinstance(item, torch.Tensor)})
        else:
            attributes[name] = value if _is_plain(value) else str(value)
    outputs = call.outputs()
    names = ["y"] if len(outputs) == 1 else [f"y{index}" for index in range(len(outputs))]
    return Layer(str(call.func), inputs, dict(zip(names, outputs)), attributes)


def _is_plain(value):
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return isinstance(value, (bool, int, str)) or (isinstance(value, float) and value - value == 0)
