"""packed.py: what packed parameters hold: weight, bias, and the convolution's own arguments."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lastbit.isa import detect
from lastbit.torch.call import Call, Weight

#: Weights seen before they were packed, for the packs that cannot give them back: identity -> (weight, bias).
KEPT = {}


class identity:
    """The same pack has the same identity. It holds the pack: an address that is free would be used again."""

    def __init__(self, pack):
        self.pack = pack

    def __hash__(self):
        return hash(self.pack)

    def __eq__(self, other):
        return isinstance(other, identity) and hash(self.pack) == hash(other.pack)


def keep(call):
    """Remembers the weight of a convolution whose pack will not give it back, while it is being packed."""
    lost = call.base in ("conv3d_prepack", "conv_transpose3d_prepack") and torch.backends.quantized.engine == "qnnpack"
    if call.base == "conv_transpose2d_prepack":
        lost = direct_transposed(call["weight"].shape, call["groups"], call["stride"], call["padding"], call["dilation"])
    if lost:
        weight, bias = call["weight"].clone(), call["bias"]
        KEPT[identity(call.out)] = (weight, None if bias is None else bias.clone())


class keep_weights(TorchDispatchMode):
    """Around `convert` or `load_state_dict`: keeps the weights that some packs would lose.

        with lastbit.torch.keep_weights():
            model = torch.ao.quantization.convert(model)
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.ScriptObject):
            call = Call(func, args, kwargs or {})
            call.out = out
            keep(call)
        return out


def direct_transposed(shape, groups, stride, padding, dilation):
    """Whether FBGEMM packs such a transposed convolution for its direct kernel (2022 to 2026).

    unpack() of that pack returns memory nobody wrote, so module.weight(), state_dict, deepcopy and
    TorchScript archives lose the weights without a word.
    """
    return (len(shape) == 4 and groups == 1 and shape[0] % 8 == 0 and shape[1] % 8 == 0
            and shape[2] == 2 and 1 <= shape[3] <= 6 and all(s in (1, 2) for s in stride)
            and not any(padding) and all(d == 1 for d in dilation))


def linear(pack):
    """(weight, bias) of a linear pack."""
    weight, bias = pack.unpack()
    key = identity(pack)
    return Weight(weight, (key, "weight")), None if bias is None else Weight(bias, (key, "bias"))


class Conv:
    """A convolution's pack, read. One spatial dimension is kept by PyTorch as two, the first 1."""

    def __init__(self, pack, dims, transposed, engine):
        key = identity(pack)
        weight, bias, self.lost = (*KEPT[key], None) if key in KEPT else self._unpack(pack, transposed, engine)

        def spatial(values):
            return [int(value) for value in values][-dims:]

        self.attributes = {"stride": spatial(pack.stride()), "padding": spatial(pack.padding())}
        if transposed:
            self.attributes["output_padding"] = spatial(pack.output_padding())
        self.attributes.update(dilation=spatial(pack.dilation()), groups=int(pack.groups()))
        self.on_onednn = weight is not None and may_be_onednn(pack, weight, transposed)
        self.weight = None if self.lost else Weight(weight, (key, "weight"), squeeze=dims == 1)
        self.bias = None if bias is None else Weight(bias, (key, "bias"))

    @staticmethod
    def _unpack(pack, transposed, engine):
        """(weight, bias, why the weight is lost)"""
        try:
            weight, bias = pack.unpack()
        except RuntimeError as error:  # QNNPACK unpacks no 3-d convolution
            return None, None, f"the pack does not give its weight back ({str(error).splitlines()[0]}); {_ADVICE}"
        on_fbgemm = engine == "fbgemm" or (engine == "x86" and not (
            detect() == "avx512_vnni" and may_be_onednn(pack, weight, transposed)))
        if transposed and on_fbgemm and direct_transposed(weight.shape, int(pack.groups()), pack.stride(), pack.padding(),
                                                          pack.dilation()):
            return weight, bias, ("FBGEMM's pack of a direct transposed convolution returns uninitialised memory "
                                  f"for the weight; {_ADVICE}")
        return weight, bias, None


_ADVICE = "convert the model inside lastbit.torch.keep_weights()"


def may_be_onednn(pack, weight, transposed):
    """Engine x86 gives a convolution to oneDNN iff the processor has VNNI and this holds."""
    per_tensor = weight.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric)
    zero_points = [weight.q_zero_point()] if per_tensor else weight.q_per_channel_zero_points().tolist()
    return (int(pack.groups()) <= 100 and not any(zero_points) and not any(pack.output_padding())
            and not (transposed and not per_tensor))


def cell(params):
    """A dynamic RNN cell's pack: its state is (kind, [b_ih, b_hh], doubles, [reduce_range], packs)."""
    state = params.__getstate__()
    kind, _, _, flags, packs = state[0] if isinstance(state[0], tuple) else state
    if kind != "quantized_dynamic":
        return None
    named = cell_weights(*packs, key=identity(params))
    return {**named, "reduce_range": bool(flags[0]) if flags else True}


def cell_weights(ih, hh, key=None):
    """The biases that count are those inside the packs: the cell operators ignore the ones they are given."""
    named = {}
    for name, pack in (("ih", ih), ("hh", hh)):
        for role, value in zip(("weight", "bias"), linear(pack)):
            if value is not None:  # the packs in a cell's state are made anew whenever it is asked
                named[f"{role}_{name}"] = value if key is None else Weight(value.tensor, (key, f"{role}_{name}"))
    return named
