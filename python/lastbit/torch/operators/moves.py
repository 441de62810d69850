"""moves.py: operators that move values and change none; the same for integers and floats."""

from lastbit.torch.call import Layer
from lastbit.torch.operators import operator


def move(op, call, attributes, out=None, suffix=""):
    return [Layer(op, {"x": call.x}, {"y": call.out if out is None else out}, attributes, suffix=suffix, moves=True)]


@operator("aten::view", "aten::_unsafe_view", "aten::reshape", "aten::_reshape_alias", "aten::flatten",
          "aten::squeeze", "aten::unsqueeze", "aten::unflatten", "aten::view_as", "aten::reshape_as",
          "aten::clone", "aten::contiguous", "aten::_to_copy", "aten::to")
def reshape(call):
    """`clone` and `contiguous` keep the shape; what they change is the memory layout, and `y` says it."""
    if call.out.dtype != call.x.dtype:
        return None
    return move("reshape", call, {"shape": list(call.out.shape)})


@operator("aten::permute")
def permute(call):
    return move("permute", call, {"dims": [d % call.out.dim() for d in call["dims"]]})


@operator("aten::transpose", "aten::swapaxes")
def transpose(call):
    dims = list(call.arguments.values())[1:3]
    if not all(isinstance(d, int) for d in dims):
        return None
    return move("transpose", call, dict(zip(("dim0", "dim1"), (d % call.out.dim() for d in dims))))


@operator("aten::t")
def t(call):
    return move("transpose", call, {"dim0": 0, "dim1": 1}) if call.x.dim() == 2 else None


@operator("aten::flip")
def flip(call):
    return move("flip", call, {"dims": sorted(d % call.x.dim() for d in call["dims"])})


def _slice(call, out, dim, start, end, step, suffix=""):
    attributes = {"dim": dim, "start": start, "end": end, "step": step}
    return move("slice", call, attributes, out, suffix)


@operator("aten::slice")
def slice_(call):
    dim = call["dim"] % call.x.dim()
    start, end, step = slice(call["start"], call["end"]).indices(call.x.shape[dim])[:2] + (call["step"],)
    return _slice(call, call.out, dim, start, max(start, end), step)


@operator("aten::split", "aten::split_with_sizes", "aten::chunk", "aten::tensor_split")
def split(call):
    """One slice a piece."""
    dim = call["dim"] % call.x.dim()
    layers, start = [], 0
    for index, piece in enumerate(call.out):
        end = start + piece.shape[dim]
        layers += _slice(call, piece, dim, start, end, 1, f".{index}")
        start = end
    return layers


def _piece(call, index, dim, out, suffix=""):
    """One index of a dimension: cut out, then the dimension dropped."""
    dim, index = dim % call.x.dim(), index % call.x.shape[dim]
    cut = call.x.narrow(dim, index, 1)
    return [*_slice(call, cut, dim, index, index + 1, 1, f"{suffix}.cut"),
            Layer("reshape", {"x": cut}, {"y": out}, {"shape": list(out.shape)}, suffix=suffix, moves=True)]


@operator("aten::select")
def select(call):
    return _piece(call, call["index"], call["dim"], call.out)


@operator("aten::unbind")
def unbind(call):
    return [layer for index, out in enumerate(call.out) for layer in _piece(call, index, call["dim"], out, f".{index}")]


@operator("aten::stack")
def stack(call):
    """cat of tensors that have been given one more dimension; quantized ones are requantized as by cat."""
    dim = call["dim"] % call.out.dim()
    parts = [tensor.unsqueeze(dim) for tensor in call.x]
    layers = [Layer("reshape", {"x": tensor}, {"y": part}, {"shape": list(part.shape)}, suffix=f".{index}", moves=True)
              for index, (tensor, part) in enumerate(zip(call.x, parts))]
    attributes = {"dim": dim, "activation": "none", **({} if call.out.is_quantized else {"variant": "float"})}
    return [*layers, Layer("cat", {f"x{index}": part for index, part in enumerate(parts)}, {"y": call.out}, attributes)]


@operator("aten::pixel_shuffle")
def pixel_shuffle(call):
    return move("pixel_shuffle", call, {"upscale_factor": call["upscale_factor"]})


@operator("aten::channel_shuffle", "aten::native_channel_shuffle")
def channel_shuffle(call):
    return move("channel_shuffle", call, {"groups": call["groups"]})


@operator("aten::constant_pad_nd", "aten::reflection_pad1d", "aten::reflection_pad2d", "aten::reflection_pad3d",
          "aten::replication_pad1d", "aten::replication_pad2d", "aten::replication_pad3d")
def pad(call):
    if call.base == "constant_pad_nd":
        attributes = {"pad": list(call["pad"]), "mode": "constant", "value": float(call["value"])}
    else:
        attributes = {"pad": list(call["padding"]), "mode": "reflect" if "reflection" in call.base else "replicate"}
    return move("pad", call, attributes)
