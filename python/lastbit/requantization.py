"""requantization.py: NumPy arrays of accumulators through a profile's requantization."""

import os

import numpy as np

from lastbit import engine
from lastbit.errors import LastbitError


def requantize(acc, profile, scale_in=1.0, scale_weight=1.0, scale_out=1.0, zero_point=0, bias=None, dtype="int8", op="linear", axis=None):
    """What `profile` stores for the accumulators `acc`: an array of acc's shape.

    acc           integers: sums of (x - x_zero_point) * (w - w_zero_point), without a bias
    profile       NAME, NAME@isa or FILE.json
    scale_*, zero_point   of the input, the weight and the output
    bias          none; floats, in real units, for runtimes that add a float bias; or integers of the accumulator
    dtype         of the output: int8, uint8, int16, ..., by name or as a NumPy type
    op            whose arithmetic: linear, conv1d, conv2d, conv3d
    axis          where acc's channels lie: the last axis for linear, axis 1 for convolutions (axis 0 if acc has one alone)

    A scale, a zero point or a bias is one number for all, an array of one entry a channel along `axis`, or an array of more
    axes that broadcasts to acc as NumPy's rules say and differs along `axis` alone ((C, 1, 1) for an acc of (N, C, H, W)).
    A weight scale of more than one entry makes the layer a per-channel one: some profiles then compute otherwise.
    Throws LastbitError when something is outside its range.
    """
    module = engine.extension()
    if module is None:
        raise LastbitError("requantize needs the extension module, which `pip install` builds")
    acc = np.asarray(acc)
    if acc.dtype.kind not in "iu":
        raise LastbitError(f"acc: found {acc.dtype}, expected integers")
    if acc.dtype == np.uint64 and acc.size and acc.max() > np.iinfo(np.int64).max:
        raise LastbitError(f"acc: found {acc.max()}, expected at most 64 bits with a sign")
    axis = _axis(acc, op, axis)
    channels = acc.shape[axis] if acc.ndim else 1
    dtype = dtype if isinstance(dtype, str) else np.dtype(dtype).name
    scales = [_by_channel(value, acc.shape, axis, name).astype(np.float64).tolist()
              for name, value in (("scale_in", scale_in), ("scale_weight", scale_weight), ("scale_out", scale_out))]
    zero = _by_channel(zero_point, acc.shape, axis, "zero_point")
    real, whole = _bias(bias, acc.shape, axis)
    flat = np.ascontiguousarray(acc, dtype=np.int64).reshape(-1)
    out = np.empty_like(flat)
    if flat.size:
        inner = int(np.prod(acc.shape[axis + 1:], dtype=np.int64)) if acc.ndim else 1
        module.requantize(flat, out, os.fspath(profile), op, dtype, channels, inner, *scales, _integers(zero, "zero_point"), real, whole)
    stored = {"int4": "int8", "int2": "int8", "uint4": "uint8", "uint2": "uint8"}.get(dtype, dtype)
    return out.astype(stored).reshape(acc.shape)


def _axis(acc, op, axis):
    if acc.ndim == 0:
        return 0
    if axis is None:
        axis = -1 if op == "linear" else min(1, acc.ndim - 1)
    if not -acc.ndim <= axis < acc.ndim:
        raise LastbitError(f"axis: found {axis}, expected an axis of an array of shape {list(acc.shape)}")
    return axis % acc.ndim


def _by_channel(value, shape, axis, name):
    """`value` as one entry, or one a channel."""
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise LastbitError(f"{name}: found {array.dtype}, expected numbers")
    channels = shape[axis] if shape else 1
    if array.size == 1:
        return array.reshape(1)
    if array.ndim != 1:
        padded = (1,) * (len(shape) - array.ndim) + array.shape
        if len(padded) != len(shape) or any(n != 1 for i, n in enumerate(padded) if i != axis):
            raise LastbitError(f"{name}: found shape {list(array.shape)}, expected one that differs along axis {axis} of {list(shape)} alone")
        array = array.reshape(-1)
    if array.size != channels:
        raise LastbitError(f"{name}: found {array.size} entries, expected 1 or {channels}, one a channel")
    return array


def _integers(array, name):
    if not np.array_equal(array, np.floor(array)):
        raise LastbitError(f"{name}: found {array.tolist()}, expected integers")
    return [int(v) for v in array]


def _bias(bias, shape, axis):
    """(real, whole): one of them is empty."""
    if bias is None:
        return [], []
    array = _by_channel(bias, shape, axis, "bias")
    array = np.broadcast_to(array, (shape[axis] if shape else 1,))
    if array.dtype.kind == "f":
        return array.astype(np.float32).tolist(), []
    if array.min() < -2**31 or array.max() >= 2**31:
        raise LastbitError("bias: found an integer of more than 32 bits, expected int32")
    return [], array.astype(np.int64).tolist()
