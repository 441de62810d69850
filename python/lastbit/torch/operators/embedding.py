"""embedding.py: tables of 8-, 4- and 2-bit rows.

Packed tables carry float scales and zero points; rowwise ones are uint8 rows that end in their own
scale and bias (float32 for 8 bits, float16 below): real = q * scale + bias.
"""

import numpy as np
import torch

from lastbit.torch import packed
from lastbit.torch.call import Array, Layer, Weight
from lastbit.torch.operators import operator

_MODES = {0: "sum", 1: "mean", 2: "max"}


def _table(pack):
    return Weight(torch.ops.quantized.embedding_bag_unpack(pack), (packed.identity(pack), "weight"))


@operator("quantized::embedding_byte", "quantized::embedding_4bit", "quantized::embedding_2bit")
def embedding(call):
    if call["pruned_weights"]:
        return None
    return [Layer("embedding", {"weight": _table(call["weight"]), "indices": call["indices"]}, {"y": call.out})]


def _bag(call, weight):
    if call["pruned_weights"]:
        return None
    return [Layer("embedding_bag",
                  {**weight, "indices": call["indices"], "offsets": call["offsets"],
                   "per_sample_weights": call["per_sample_weights"]}, {"y": call.out},
                  {"mode": _MODES.get(call["mode"], str(call["mode"])), "include_last_offset": call["include_last_offset"]})]


@operator("quantized::embedding_bag_byte", "quantized::embedding_bag_4bit", "quantized::embedding_bag_2bit")
def embedding_bag(call):
    return _bag(call, {"weight": _table(call["weight"])})


@operator("quantized::embedding_bag_byte_rowwise_offsets", "quantized::embedding_bag_4bit_rowwise_offsets",
          "quantized::embedding_bag_2bit_rowwise_offsets")
def embedding_bag_rowwise(call):
    table, bias = rowwise(call["weight"], _bits(call))
    return _bag(call, {"weight": table, "weight_bias": bias})


@operator("quantized::embedding_bag_byte_prepack", "quantized::embedding_bag_4bit_prepack",
          "quantized::embedding_bag_2bit_prepack")
def prepack(call):
    if call.get("optimized_qparams"):
        return None
    table, bias = rowwise(call.out, _bits(call))
    return [Layer("quantize_rowwise", {"x": call.x}, {"y": table, "bias": bias}, {"bits": _bits(call)})]


def _bits(call):
    return {"byte": 8, "4bit": 4, "2bit": 2}[call.base.split("_")[2]]


def rowwise(tensor, bits):
    """The codes, and the bias, of a fused table."""
    fused = tensor.detach().contiguous().numpy()
    kind = np.dtype("<f4") if bits == 8 else np.dtype("<f2")
    codes, tail = fused[:, :-2 * kind.itemsize], fused[:, -2 * kind.itemsize:].copy()
    scale, bias = (column.astype(np.float32) for column in tail.view(kind).T)
    keys = {"dtype": f"uint{bits}", "axis": 0, "scale": scale}
    if bits < 8:
        keys.update(packed="low_first", shape=[codes.shape[0], codes.shape[1] * (8 // bits)])
    return Array(codes, keys, ("rowwise", id(tensor), tensor)), Array(bias, {}, ("rowwise bias", id(tensor), tensor))
