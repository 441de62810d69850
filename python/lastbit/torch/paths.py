"""paths.py: which module is running, so that a layer can carry its module's path."""

import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook


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
                       register_module_forward_hook(lambda module, args, out: self._pop(module), always_call=True)]
        return self

    def __exit__(self, *error):
        for hook in self._hooks:
            hook.remove()

    def _push(self, module):
        self._stack.append(module)

    def _pop(self, module):
        while self._stack and self._stack.pop() is not module:
            pass

    def current(self):
        """(path, whether the module is a single operator); path is "" where no module of the model runs."""
        for module in reversed(self._stack):
            if id(module) in self._paths:
                return self._paths[id(module)][0], is_operator(module)
        return "", False


def is_operator(module):
    """A module of PyTorch's own that holds no modules of the user's."""
    package = type(module).__module__
    if package.startswith("torch.nn.modules.container") or isinstance(module, (torch.fx.GraphModule, torch.jit.ScriptModule)):
        return False
    return package.startswith(("torch.ao.nn.", "torch.nn.")) or not any(module.children())
