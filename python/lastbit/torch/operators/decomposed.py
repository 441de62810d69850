"""decomposed.py: into integers and back, and the float operators that stand between.

quantize and dequantize of quantized tensors; PT2E's `quantized_decomposed` operators, which carry
scale and zero point as arguments beside plain integer tensors; linear and convolution in float32.
"""

import torch

from lastbit.torch.call import Integers, Layer
from lastbit.torch.operators import operator


@operator("aten::quantize_per_tensor", "aten::quantize_per_channel")
def quantize(call):
    if isinstance(call.out, (list, tuple)):
        return [Layer("quantize", {"x": x}, {"y": y}, suffix=f".{i}") for i, (x, y) in enumerate(zip(call.x, call.out))]
    return [Layer("quantize", {"x": call.x}, {"y": call.out})]


@operator("aten::quantize_per_tensor_dynamic")
def quantize_dynamic(call):
    return [Layer("quantize_dynamic", {"x": call.x}, {"y": call.out}, {"reduce_range": call["reduce_range"]})]


@operator("aten::dequantize")
def dequantize(call):
    if isinstance(call.out, (list, tuple)):
        return [Layer("dequantize", {"x": x}, {"y": y}, suffix=f".{i}") for i, (x, y) in enumerate(zip(call.x, call.out))]
    return [Layer("dequantize", {"x": call.x}, {"y": call.out})]


# -- PT2E: real = (q - zero_point) * scale, everything an argument ---------------------------------

def _number(value):
    return value.item() if isinstance(value, torch.Tensor) else value


def _integers(call, tensor):
    qmin, qmax = (_number(call[name]) for name in ("quant_min", "quant_max"))
    scale, zero_point = call.get("scale", "scales"), call.get("zero_point", "zero_points")
    if "channel" not in call.base:
        return Integers(tensor, _number(scale), _number(zero_point), None, qmin, qmax)
    return Integers(tensor, scale, zero_point, call["axis"], qmin, qmax)


@operator("quantized_decomposed::quantize_per_tensor", "quantized_decomposed::quantize_per_channel")
def decomposed_quantize(call):
    return [Layer("quantize", {"x": call.x}, {"y": _integers(call, call.out)}, {"variant": "decomposed"})]


@operator("quantized_decomposed::dequantize_per_tensor", "quantized_decomposed::dequantize_per_channel")
def decomposed_dequantize(call):
    return [Layer("dequantize", {"x": _integers(call, call.x)}, {"y": call.out}, {"variant": "decomposed"})]


# -- float operators between dequantize and quantize ----------------------------------------------

@operator("aten::convolution", "aten::_convolution")
def convolution(call):
    op = "conv_transpose" if call["transposed"] else "conv"
    dims = len(call["stride"])
    attributes = {"variant": "float", "activation": "none"}
    for name in ("stride", "padding", *(["output_padding"] if call["transposed"] else []), "dilation"):
        value = list(call[name])
        attributes[name] = value * dims if len(value) == 1 else value
    attributes["groups"] = call["groups"]
    return [Layer(f"{op}{dims}d", {"x": call.x, "weight": call["weight"], "bias": call["bias"]}, {"y": call.out}, attributes)]


@operator(*(f"aten::conv{transposed}{dims}d" for transposed in ("", "_transpose") for dims in (1, 2, 3)))
def composite_convolution(call):
    """The same before PyTorch takes it apart: under torch.inference_mode."""
    if isinstance(call["padding"], str):
        return None
    dims = call.x.dim() - 2
    attributes = {"variant": "float", "activation": "none"}
    for name in ("stride", "padding", *(["output_padding"] if "transpose" in call.base else []), "dilation"):
        value = call[name] if isinstance(call[name], (list, tuple)) else [call[name]]
        attributes[name] = list(value) * (dims if len(value) == 1 else 1)
    attributes["groups"] = call["groups"]
    op = call.base if call.base[-2] == str(dims) else None
    return op and [Layer(op, {"x": call.x, "weight": call["weight"], "bias": call["bias"]}, {"y": call.out}, attributes)]


@operator("aten::linear")
def linear(call):
    return [Layer("linear", {"x": call.x, "weight": call["weight"], "bias": call["bias"]}, {"y": call.out},
                  {"variant": "float", "activation": "none"})]


@operator("aten::addmm", "aten::mm")
def addmm(call):
    """F.linear arrives as addmm(bias, x, weight.t()), and without a bias as mm(x, weight.t())."""
    x, transposed = (call["mat1"], call["mat2"]) if call.base == "addmm" else (call.x, call["mat2"])
    weight = call.transposed_of(transposed)
    bias = call.x if call.base == "addmm" else None
    if weight is None or call.get("alpha", default=1) != 1 or call.get("beta", default=1) != 1:
        return None
    if bias is not None and bias.dim() != 1:
        return None
    return [Layer("linear", {"x": x, "weight": weight, "bias": bias}, {"y": call.out},
                  {"variant": "float", "activation": "none"})]
