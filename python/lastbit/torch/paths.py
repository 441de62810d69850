"""paths.py: which module is running, so that a layer can carry its module's path."""

import sys

import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from lastbit.torch.older import EVEN_IF_RAISED


class ModulePaths:
    """While entered, `current()` is the path of the innermost running module of `model`."""

    def __init__(self, model):
        self._paths = {}
        if isinstance(model, torch.nn.Module):
            for path, module in model.named_modules():
                self._paths.setdefault(id(module), (path, module))
        self._stack = []
        self._hooks = []

    def __enter__(self):
        self._hooks = [register_module_forward_pre_hook(lambda module, args: self._push(module)),
                       register_module_forward_hook(lambda module, args, out: self._pop(module), **EVEN_IF_RAISED)]
        return self

    def __exit__(self, *error):
        for hook in self._hooks:
            hook.remove()

    def _push(self, module):
        self._stack.append(module)

    def _pop(self, module):
        while self._stack and self._stack.pop() is not module:
            pass

    def name(self, operator, main):
        """What to call a layer: the module's path if the module is this operator, else path and operator.

        `main`: the operator is what its module is for, no reshape or pad on the way to it.
        """
        for module in reversed(self._stack):
            if isinstance(module, torch.fx.GraphModule):
                node = running_node(module)
                if node is not None:
                    return node_name(node) if main or moves(node) else f"{node_name(node)}.{operator}"
            if id(module) in self._paths:
                path = self._paths[id(module)][0]
                if main and path and is_operator(module):
                    return path
                return f"{path}.{operator}" if path else operator
        return operator


def is_operator(module):
    """A module of PyTorch's own that holds no modules of the user's."""
    package = type(module).__module__
    if package.startswith("torch.nn.modules.container") or isinstance(module, (torch.fx.GraphModule, torch.jit.ScriptModule)):
        return False
    return package.startswith(("torch.ao.nn.", "torch.nn.")) or not any(module.children())


def running_node(module):
    """The node of a graph module's own generated code that is being run, if that can be told."""
    lines, start = getattr(module, "_lineno_map", None), getattr(module, "_prologue_start", 0)
    frame = sys._getframe()
    while lines and frame is not None:
        if frame.f_code is getattr(type(module).forward, "__code__", None) and frame.f_locals.get("self") is module:
            index = lines.get(frame.f_lineno - start)
            nodes = list(module.graph.nodes)
            return nodes[index] if index is not None and index < len(nodes) else None
        frame = frame.f_back
    return None


def node_name(node):
    """The path of the float module that a node came of, if that was one operator of PyTorch's own; else the node's name."""
    path, kind = next(reversed((node.meta.get("nn_module_stack") or {"": ("", "")}).values()))
    kind = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    if path and kind.startswith("torch.nn.modules.") and not kind.startswith("torch.nn.modules.container."):
        return path
    return node.name


def moves(node):
    """Whether a node is for moving values itself."""
    words = ("view", "reshape", "flatten", "squeeze", "clone", "contiguous", "transpose", "permute", "pad")
    return any(word in str(node.target) for word in words)
