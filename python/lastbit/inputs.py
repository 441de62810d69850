"""inputs.py: what a model is run on: arrays by the names of its inputs, from Python or from a file."""

from pathlib import Path

import numpy as np

from lastbit.errors import LastbitError


def read(path):
    """The arrays of an .npz by name, or the one array of an .npy."""
    path = Path(path)
    try:
        loaded = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise LastbitError(f"{path}: not read as .npz or .npy ({_line(error)})") from None
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        return {name: loaded[name] for name in loaded.files}


def match(given, wanted, place):
    """`given` (a dict, a list in order, or the only array) as a dict in the order of `wanted`.

    `wanted`: {name: (dtype, shape)}; a shape entry that is not a positive int fits any length.
    """
    if isinstance(given, np.ndarray) or np.isscalar(given):
        given = [given]
    if not isinstance(given, dict):
        given = list(given)
        if len(given) != len(wanted):
            raise LastbitError(f"{place}: {len(given)} inputs given, expected {len(wanted)}: {', '.join(wanted)}")
        given = dict(zip(wanted, given))
    for name in wanted:
        if name not in given:
            raise LastbitError(f"{place}: input {name!r} is missing, found {', '.join(map(repr, given)) or 'none'}")
    for name in given:
        if name not in wanted:
            raise LastbitError(f"{place}: no input {name!r}, expected {', '.join(map(repr, wanted))}")
    return {name: _checked(name, np.asarray(given[name]), *wanted[name], place) for name in wanted}


def _checked(name, array, dtype, shape, place):
    if array.dtype != dtype:
        raise LastbitError(f"{place}: input {name!r} is {array.dtype}, expected {np.dtype(dtype)}")
    fits = shape is None or (len(shape) == array.ndim and all(
        not isinstance(want, int) or want <= 0 or want == have for want, have in zip(shape, array.shape)))
    if not fits:
        raise LastbitError(f"{place}: input {name!r} has shape {list(array.shape)}, expected {list(shape)}")
    return np.ascontiguousarray(array)


def _line(error):
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
