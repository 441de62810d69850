"""call.py: one operator call as the dispatcher saw it, and the layers of a dump it becomes."""

from dataclasses import dataclass, field

import torch


class Call:
    """`func(*args, **kwargs)` with every argument under the name its schema gives it."""

    def __init__(self, func, args, kwargs):
        self.func = func
        self.namespace, _, base = func._schema.name.partition("::")
        self.arguments = {}
        self.written = []  # names of the arguments the operator overwrites
        for position, argument in enumerate(func._schema.arguments):
            if argument.name in kwargs:
                value = kwargs[argument.name]
            elif position < len(args):
                value = args[position]
            else:
                value = argument.default_value
            self.arguments[argument.name] = value
            if argument.alias_info is not None and argument.alias_info.is_write:
                self.written.append(argument.name)
        # relu_ is relu written over its argument; _quantized:: repeats quantized::
        self.base = base[:-1] if self.written and base.endswith("_") else base
        self.name = f"{self.namespace.removeprefix('_')}::{self.base}"
        self.out = None
        # What the recorder knows of a tensor: the matrix it is the t() of, whether a layer or the input made it.
        self.transposed_of = self.is_traced = None

    def __getitem__(self, name):
        return self.arguments[name]

    def get(self, *names, default=None):
        """The first of `names` that the schema has: overloads disagree about qx, self and input."""
        for name in names:
            if name in self.arguments:
                return self.arguments[name]
        return default

    @property
    def x(self):
        """The operator's first argument, whatever its overload calls it."""
        return next(iter(self.arguments.values()))

    def tensors(self):
        return [value for value in flat(self.arguments.values()) if isinstance(value, torch.Tensor)]

    def packs(self):
        return [value for value in flat(self.arguments.values()) if isinstance(value, torch.ScriptObject)]

    def outputs(self):
        return [value for value in flat([self.out]) if isinstance(value, torch.Tensor)]

    @property
    def is_quantized(self):
        """Whether the operator takes or gives integers with scales: what lastbit is about."""
        return (self.namespace in ("quantized", "_quantized", "quantized_decomposed") or bool(self.packs())
                or any(tensor.is_quantized for tensor in self.tensors() + self.outputs()))


def flat(values):
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from flat(value)
        else:
            yield value


@dataclass
class Layer:
    """One layer of the dump. `inputs` hold tensors, Weights, Integers, Arrays or None (left out)."""

    op: str
    inputs: dict
    outputs: dict
    attributes: dict = field(default_factory=dict)
    engine: bool = False    # computed by the quantized engine, not by ATen's own kernels
    onednn: bool = True     # engine "x86": whether this layer may go to oneDNN (else FBGEMM)
    suffix: str = ""        # tells the layers of one call apart
    moves: bool = False     # bits move, none changes


@dataclass
class Weight:
    """A tensor out of a pack: the same `key` is the same tensor, and is written once."""

    tensor: torch.Tensor
    key: tuple
    squeeze: bool = False   # conv1d keeps its weight as [O, I, 1, k]


@dataclass
class Integers:
    """A plain integer tensor whose scale and zero point are arguments of the operator (PT2E)."""

    tensor: torch.Tensor
    scale: object
    zero_point: object
    axis: int | None = None
    qmin: int | None = None
    qmax: int | None = None


@dataclass
class Array:
    """Values that are no tensor of the model by themselves; `keys` as DumpWriter.tensor takes them."""

    values: object
    keys: dict = field(default_factory=dict)
    key: tuple | None = None
