"""tensors.py: a torch tensor as the array and the manifest keys that say the same.

Integers are `int_repr()`'s, scales the float64 that PyTorch holds; 4- and 2-bit tensors stay packed.
"""

import numpy as np
import torch

from lastbit.errors import LastbitError
from lastbit.torch.older import item_size

_SUB_BYTE = {torch.quint4x2: ("uint4", 2), torch.quint2x4: ("uint2", 4)}

#: dtypes that a dump has no name for, and one that holds every value of theirs.
_WIDER = {torch.bfloat16: torch.float32, torch.bool: torch.uint8}
if hasattr(torch, "uint32"):
    _WIDER[torch.uint32] = torch.int64


def describe(tensor):
    """(array, keys) for DumpWriter.tensor."""
    tensor = tensor.detach()
    if tensor.is_quantized:
        return quantized(tensor)
    return plain(tensor), layout(tensor)


def plain(tensor):
    """The values in logical order, whatever the strides; nothing is rounded."""
    tensor = tensor.detach().cpu()
    if tensor.is_complex() or tensor.layout != torch.strided:
        raise LastbitError(f"a {tensor.dtype} tensor with layout {tensor.layout} has no form in a dump")
    if tensor.dtype in _WIDER:
        tensor = tensor.to(_WIDER[tensor.dtype])
    elif tensor.dtype.is_floating_point and item_size(tensor.dtype) == 1:
        tensor = tensor.to(torch.float32)
    return tensor.resolve_conj().resolve_neg().numpy()


def quantized(tensor):
    keys = layout(tensor)
    if tensor.dtype in _SUB_BYTE:
        keys["dtype"], per_byte = _SUB_BYTE[tensor.dtype]
        array, packing = packed_bytes(tensor, per_byte)
        keys.update(packing)
    else:
        array = tensor.int_repr().numpy()
    scheme = tensor.qscheme()
    if scheme in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        keys.update(scale=tensor.q_scale(), zero_point=tensor.q_zero_point())
    else:  # per channel; the float-qparams scheme of embeddings holds float32 scales and zero points
        keys.update(scale=tensor.q_per_channel_scales().numpy(),
                    zero_point=tensor.q_per_channel_zero_points().numpy(),
                    axis=tensor.q_per_channel_axis())
    return array, keys


def packed_bytes(tensor, per_byte):
    """(bytes, keys): int_repr() of a 4- or 2-bit tensor is its bytes, whatever shape the version gives them.

    PyTorch packs the flat tensor. Where a row does not fill its last byte, a dump could not say that,
    and the values are stored one a byte.
    """
    flat = tensor.int_repr().numpy().view(np.uint8).reshape(-1)
    width = tensor.shape[-1]
    if width % per_byte == 0:
        rows = flat[:tensor.numel() // per_byte]
        return rows.reshape(*tensor.shape[:-1], width // per_byte), {"packed": "low_first", "shape": list(tensor.shape)}
    bits = 8 // per_byte
    values = (flat[:, None] >> (np.arange(per_byte, dtype=np.uint8) * bits)) & ((1 << bits) - 1)
    return values.reshape(-1)[:tensor.numel()].reshape(tuple(tensor.shape)).astype(np.uint8), {}


def layout(tensor):
    """memory_layout: NHWC for a dense tensor whose channels are innermost, else the contiguous default.

    A tensor that is both (one channel, one pixel) counts as contiguous.
    """
    if tensor.dim() < 3 or tensor.layout != torch.strided or tensor.is_contiguous():
        return {}
    expected = 1
    for dim in (1, *range(tensor.dim() - 1, 1, -1), 0):  # innermost first
        if tensor.shape[dim] != 1 and tensor.stride(dim) != expected:
            return {}
        expected *= tensor.shape[dim]
    return {"memory_layout": "NHWC"}
