"""engine.py: linear and convolutions, computed by the quantized engine from packed parameters."""

from lastbit.torch import packed
from lastbit.torch.call import Layer
from lastbit.torch.operators import operator

_ACTIVATION = {"": "none", "_relu": "relu", "_leaky_relu": "leaky_relu", "_tanh": "tanh"}


def current_engine():
    import torch
    return torch.backends.quantized.engine


@operator(*("quantized::linear" + suffix for suffix in _ACTIVATION))
def linear(call):
    activation = _ACTIVATION[call.base.removeprefix("linear")]
    weight, bias = packed.linear(call["W_prepack"])
    attributes = {"activation": activation}
    if activation == "leaky_relu":
        attributes["negative_slope"] = call["negative_slope"]
    return [Layer("linear", {"x": call.x, "weight": weight, "bias": bias}, {"y": call.out}, attributes,
                  engine=True, onednn=False)]


def _convolution(dims, transposed, dynamic, activation, add):
    op = f"conv_transpose{dims}d" if transposed else f"conv{dims}d"
    op += "_add" if add else "_dynamic" if dynamic else ""

    def handler(call):
        pack = call.packs()[0]
        conv = packed.Conv(pack, dims, transposed, current_engine())
        attributes = dict(conv.attributes)
        if dynamic:
            attributes["reduce_range"] = call["reduce_range"]
        else:
            attributes["activation"] = activation
        inputs = {"x": call.x, "weight": conv.weight, "bias": conv.bias}
        if add:
            inputs["a"] = call["qaccum"]
        if conv.lost:
            attributes["not_judged"] = conv.lost
        return [Layer(op, inputs, {"y": call.out}, attributes, engine=True, onednn=conv.on_onednn)]
    return handler


for _dims in (1, 2, 3):
    operator(f"quantized::conv{_dims}d")(_convolution(_dims, False, False, "none", False))
    operator(f"quantized::conv{_dims}d_relu")(_convolution(_dims, False, False, "relu", False))
    operator(f"quantized::conv{_dims}d_dynamic")(_convolution(_dims, False, True, "none", False))
    operator(f"quantized::conv_transpose{_dims}d")(_convolution(_dims, True, False, "none", False))
    operator(f"quantized::conv_transpose{_dims}d_dynamic")(_convolution(_dims, True, True, "none", False))
operator("quantized::conv2d_add")(_convolution(2, False, False, "none", True))
operator("quantized::conv2d_add_relu")(_convolution(2, False, False, "relu", True))
