"""identity.py: which tensor of the dump a tensor of the run is.

It is the same if it is the same object and was not written over since. Only weak references are kept, so
a run uses no more memory than without a dump. PyTorch keeps a tensor's Python object as long as the tensor.
"""

import weakref

import torch

from lastbit.torch.older import storage_address

#: PyTorch counts an overwrite up only after the operator is back: the version seen next is the right one.
NEXT = object()


class Known:
    """What is known of a tensor: its `name` in the dump (None: not written yet), and a PT2E integer's manifest `keys`.

    `suggestion`: its name when it will be written. `traced`: it came of the model's input or of a layer.
    """

    def __init__(self, tensor, name, keys, suggestion, traced):
        self.ref, self.version = weakref.ref(tensor), version(tensor)
        self.name, self.keys, self.suggestion, self.traced = name, keys, suggestion, traced


class Identities:
    def __init__(self):
        self._known = {}    # id -> Known
        self._views = {}    # id -> (t() of a matrix, the Call): a layer only if somebody else than a linear wants it

    def bind(self, tensor, name, keys=None, suggestion=None, traced=True):
        self._known[id(tensor)] = Known(tensor, name, keys, suggestion, traced)

    def find(self, tensor):
        known = self._known.get(id(tensor)) if isinstance(tensor, torch.Tensor) else None
        if known is None or known.ref() is not tensor:
            return None
        seen = version(tensor)
        if known.version is NEXT:
            known.version = seen
        return known if known.version == seen else None

    def is_traced(self, tensor):
        view = self._view(tensor)
        if view is not None:
            return self.is_traced(view.x)
        known = self.find(tensor)
        return known is not None and known.traced

    def overwritten(self, tensor):
        """The operator at hand writes over it: its version is about to be counted up."""
        self._known[id(tensor)].version = NEXT

    def forget_name(self, name):
        for key in [key for key, known in self._known.items() if known.name == name]:
            del self._known[key]

    def forget_storage(self, storage, kept):
        """All tensors in a storage that is written over but the `kept` ones."""
        for key, known in list(self._known.items()):
            tensor = known.ref()
            if tensor is None or (key not in kept and storage_address(tensor) == storage):
                del self._known[key]

    # -- t(): F.linear arrives as a product with a transposed view ---------------------------------

    def transpose(self, call):
        self._views[id(call.out)] = (call.out, call)

    def _view(self, tensor):
        view, call = self._views.get(id(tensor), (None, None))
        return call if view is tensor else None

    def transposed_of(self, tensor):
        call = self._view(tensor)
        return None if call is None else call.x

    def take_view(self, tensor):
        """The call of a t() whose view is wanted as a tensor of its own, once."""
        call = self._view(tensor) if self.find(tensor) is None else None
        if call is not None:
            del self._views[id(tensor)]
        return call


def version(tensor):
    try:
        return tensor._version
    except RuntimeError:
        return None  # inference tensors do not count


def integer_keys(value):
    """The manifest keys of a PT2E integer tensor."""
    keys = {"scale": value.scale, "zero_point": value.zero_point, "axis": value.axis, "qmin": value.qmin, "qmax": value.qmax}
    return {key: item.detach().numpy() if isinstance(item, torch.Tensor) else item
            for key, item in keys.items() if item is not None}


def equal(a, b):
    """Whether two sets of manifest keys say the same."""
    def listed(keys):
        return {key: item.tolist() if hasattr(item, "tolist") else item for key, item in keys.items()}
    return b is not None and listed(a) == listed(b)
