"""older.py: what PyTorch 1.13 does not have yet."""

import inspect
import re

import torch
from torch.nn.modules.module import register_module_forward_hook

try:
    from torch.utils._python_dispatch import is_traceable_wrapper_subclass
except ImportError:
    def is_traceable_wrapper_subclass(value):
        return False

#: Without it a module that raised is taken off the stack with the one around it.
EVEN_IF_RAISED = {"always_call": True} if "always_call" in inspect.signature(register_module_forward_hook).parameters else {}


def storage_address(tensor):
    """Where a tensor's memory begins: views of one tensor share it."""
    return (tensor.untyped_storage() if hasattr(tensor, "untyped_storage") else tensor._storage()).data_ptr()


def cpu_capability():
    """ATen's kernels: DEFAULT, AVX2, AVX512, ..."""
    if hasattr(torch.backends, "cpu"):
        return torch.backends.cpu.get_cpu_capability()
    return re.search(r"CPU capability usage: (.*)", torch.__config__.show()).group(1).upper()


def item_size(dtype):
    return dtype.itemsize if hasattr(dtype, "itemsize") else torch.empty((), dtype=dtype).element_size()
