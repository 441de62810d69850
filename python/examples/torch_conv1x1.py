"""A 1x1 convolution and ReLU, read with hooks: the forum question that ends in "off by one".

The hooks collect what one would compare by hand; the dump holds the same integers, and says more.
"""

import torch
from torch import nn
from torch_example import Wrapped, main, static


def build(engine):
    model, x = nn.Sequential(nn.Conv2d(16, 24, 1), nn.ReLU()), torch.randn(1, 16, 7, 9)
    return static(Wrapped(model), x, engine, [("body.0", "body.1")]), x


def hooked(model, x):
    """path -> the integers that came out of the module."""
    seen = {}
    hooks = [module.register_forward_hook(
        lambda module, args, out, path=path: seen.__setitem__(path, out.int_repr()) if out.is_quantized else None)
        for path, module in model.named_modules() if path and not any(module.children())]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    return seen


if __name__ == "__main__":
    main(build)
