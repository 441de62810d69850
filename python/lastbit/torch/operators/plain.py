"""plain.py: operators whose arguments are written down as they are.

On quantized tensors these are ATen's (or QNNPACK's) integer kernels. Of the float ones between a
dequantize and a quantize, those that only place values have a name in a dump (`variant: float`).
"""

import torch

from lastbit.torch.call import Layer
from lastbit.torch.operators import operator


#: Float operators that change no value: these need no arithmetic of a runtime to be checked.
_PLACES = ("cat", "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "upsample_nearest_exact2d")


def layer(op, call, attributes=None, inputs=None, out=None):
    inputs = {"x": call.x} if inputs is None else inputs
    out = call.outputs()[0] if out is None else out
    attributes = dict(attributes or {})
    if not out.is_quantized and not any(isinstance(t, torch.Tensor) and t.is_quantized for t in inputs.values()):
        if op not in _PLACES:
            return None
        attributes["variant"] = "float"
    return [Layer(op, inputs, {"y": out}, attributes)]


# -- one tensor in, one out: op, and the attributes that are the schema's own ---------------------

_UNARY = {
    "aten::relu": ("relu", ()), "quantized::relu6": ("relu6", ()), "aten::relu6": ("relu6", ()),
    "aten::hardswish": ("hardswish", ()), "quantized::hardswish": ("hardswish", ()),
    "aten::hardsigmoid": ("hardsigmoid", ()), "aten::tanh": ("tanh", ()),
    "aten::sigmoid": ("sigmoid", ()), "quantized::sigmoid": ("sigmoid", ()),
    "aten::gelu": ("gelu", ("approximate",)),
    "aten::clamp": ("clamp", ("min", "max")), "quantized::clamp": ("clamp", ("min", "max")),
    "aten::hardtanh": ("hardtanh", ("min_val", "max_val")),
    "aten::leaky_relu": ("leaky_relu", ("negative_slope",)),
    "quantized::leaky_relu": ("leaky_relu", ("negative_slope",)),
    "aten::elu": ("elu", ("alpha", "scale", "input_scale")),
    "quantized::elu": ("elu", ("alpha", "scale", "input_scale")),
    "aten::celu": ("celu", ("alpha",)), "quantized::celu": ("celu", ("alpha",)),
    "aten::threshold": ("threshold", ("threshold", "value")),
    "quantized::threshold": ("threshold", ("threshold", "value")),
    "aten::_softmax": ("softmax", ("dim",)), "aten::softmax": ("softmax", ("dim",)),
    "quantized::softmax": ("softmax", ("dim",)),
}


def _unary(op, names):
    return lambda call: layer(op, call, {name: call[name] for name in names if call[name] is not None})


for _name, (_op, _names) in _UNARY.items():
    operator(_name)(_unary(_op, _names))


# -- two tensors ---------------------------------------------------------------------------------

def _binary(op, activation):
    def handler(call):
        a, b = list(call.arguments.values())[:2]
        if call.get("alpha", default=1) != 1:
            return None
        if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and "scalar" not in call.base:
            return layer(op, call, {"activation": activation}, {"a": a, "b": b})
        tensor, other = (a, b) if isinstance(a, torch.Tensor) else (b, a)
        if op == "sub":
            return None
        other = float(other) if not isinstance(other, torch.Tensor) else other.item()
        return layer(op + "_scalar", call, {"other": other, "activation": activation}, {"a": tensor})
    return handler


for _op in ("add", "mul"):
    for _suffix, _activation in (("", "none"), ("_relu", "relu")):
        operator(f"quantized::{_op}{_suffix}", f"quantized::{_op}_scalar{_suffix}")(_binary(_op, _activation))
    operator(f"aten::{_op}")(_binary(_op, "none"))
operator("aten::sub")(_binary("sub", "none"))


@operator("quantized::matmul")
def matmul(call):
    return layer("matmul", call, {}, {"a": call["qa"], "b": call["qb"]})


@operator("quantized::cat", "quantized::cat_relu", "aten::cat")
def cat(call):
    dim = call["dim"]
    inputs = {f"x{i}": tensor for i, tensor in enumerate(call.x)}
    return layer("cat", call, {"dim": dim + call.out.dim() if dim < 0 else dim,
                               "activation": "relu" if call.base == "cat_relu" else "none"}, inputs)


@operator("quantized::prelu", "aten::prelu", "aten::_prelu_kernel")
def prelu(call):
    return layer("prelu", call, {}, {"x": call.x, "weight": call["weight"]})


# -- pools and reductions ------------------------------------------------------------------------

def _spatial(value, dims):
    value = list(value)
    return value * dims if len(value) == 1 else value


def _pool(op, dims, *more):
    def handler(call):
        kernel = _spatial(call["kernel_size"], dims)
        attributes = {"kernel_size": kernel, "stride": _spatial(call["stride"] or kernel, dims),
                      "padding": _spatial(call["padding"] or [0], dims)}
        for name in more:
            value = call[name]
            if value is not None:
                attributes[name] = _spatial(value, dims) if name == "dilation" else value
        return layer(op, call, attributes)
    return handler


for _dims in (1, 2, 3):
    operator(f"aten::quantized_max_pool{_dims}d", f"quantized::max_pool{_dims}d", f"aten::max_pool{_dims}d",
             f"aten::max_pool{_dims}d_with_indices")(_pool(f"max_pool{_dims}d", _dims, "dilation", "ceil_mode"))
    operator(f"aten::avg_pool{_dims}d")(_pool(
        f"avg_pool{_dims}d", _dims, "ceil_mode", "count_include_pad", *(["divisor_override"] if _dims > 1 else [])))
    operator(f"aten::_adaptive_avg_pool{_dims}d", f"aten::adaptive_avg_pool{_dims}d")(
        lambda call, op=f"adaptive_avg_pool{_dims}d", dims=_dims:
        layer(op, call, {"output_size": _spatial(call["output_size"], dims)}))


@operator("aten::mean", "aten::sum", "aten::std")
def reduction(call):
    dim = call.get("dim")
    dim = list(range(call.x.dim())) if dim is None or dim == [] else [dim] if isinstance(dim, int) else list(dim)
    from_front = [d + call.x.dim() if d < 0 else d for d in dim]
    if torch.backends.quantized.engine == "qnnpack" and from_front == [2, 3]:
        from_front = dim                             # its own kernel answers to these numbers, and to no other spelling of them
    attributes = {"dim": from_front, "keepdim": bool(call.get("keepdim", default=False))}
    if call.base == "std":
        correction = call.get("correction", default=call.get("unbiased", default=True))
        attributes["correction"] = 1 if correction is None else int(correction)
    return layer(call.base, call, attributes)


# -- norms ---------------------------------------------------------------------------------------

@operator(*(f"quantized::batch_norm{dims}{relu}" for dims in ("", "1d", "2d", "3d") for relu in ("", "_relu")))
def batch_norm(call):
    inputs = {"x": call.x, "weight": call["weight"], "bias": call["bias"],
              "running_mean": call["mean"], "running_var": call["var"]}
    return layer("batch_norm", call, {"eps": call["eps"],
                                      "activation": "relu" if call.base.endswith("_relu") else "none"}, inputs)


@operator("quantized::layer_norm", "quantized::group_norm", "quantized::instance_norm")
def norm(call):
    attributes = {name: call[name] for name in ("normalized_shape", "num_groups") if name in call.arguments}
    inputs = {"x": call.x, "weight": call["weight"], "bias": call["bias"]}
    return layer(call.base, call, {**attributes, "eps": call["eps"]}, inputs)


# -- resampling ----------------------------------------------------------------------------------

def _upsample(op):
    def handler(call):
        attributes = {"output_size": list(call.out.shape[2:])}
        scales = call.get("scale_factors")
        if scales is None:
            scales = [call[name] for name in ("scales", "scales_d", "scales_h", "scales_w") if name in call.arguments]
        if scales and all(scale is not None for scale in scales):
            attributes["scales"] = list(scales)
        if "align_corners" in call.arguments:
            attributes["align_corners"] = call["align_corners"]
        return layer(op, call, attributes)
    return handler


for _op in ("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "upsample_bilinear2d"):
    operator(f"aten::{_op}")(_upsample(_op))
operator("aten::_upsample_nearest_exact2d")(_upsample("upsample_nearest_exact2d"))
