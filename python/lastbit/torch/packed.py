"""packed.py: what packed parameters hold: weight, bias, and the convolution's own arguments."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lastbit.isa import detect
from lastbit.torch.call import Call, Weight

#: Weights seen before they were packed, for the packs that cannot give them back: hash -> (pack, weight).
#: A pack is kept with its entry, so that its hash (an address) is not used again.
KEPT = {}


def identity(pack):
    return hash(pack)


def keep(call):
    """Remembers the weight of a direct transposed convolution while it is being packed."""
    if call.base != "conv_transpose2d_prepack":
        return
    weight = call["weight"]
    if direct_transposed(weight.shape, call["groups"], call["stride"], call["padding"], call["dilation"]):
        KEPT[identity(call.out)] = (call.out, weight.clone())


class keep_weights(TorchDispatchMode):
    """Around `convert` or `load_state_dict`: keeps the weights that FBGEMM's packs would lose.

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
        weight, bias = pack.unpack()

        def spatial(values):
            return [int(value) for value in values][-dims:]

        self.groups = int(pack.groups())
        self.attributes = {"stride": spatial(pack.stride()), "padding": spatial(pack.padding())}
        if transposed:
            self.attributes["output_padding"] = spatial(pack.output_padding())
        self.attributes.update(dilation=spatial(pack.dilation()), groups=self.groups)
        self.output_padding = any(pack.output_padding())
        self.zero_points = zero_points(weight)
        self.per_channel = weight.qscheme() not in (torch.per_tensor_affine, torch.per_tensor_symmetric)
        self.transposed = transposed
        key = identity(pack)
        self.lost = None
        kept = KEPT.get(key)
        if kept is not None:
            weight = kept[1]
        elif transposed and self.packed_by_fbgemm(engine) and direct_transposed(
                weight.shape, self.groups, pack.stride(), pack.padding(), pack.dilation()):
            self.lost = ("FBGEMM's pack of a direct transposed convolution returns uninitialised memory "
                         "for the weight; convert the model inside lastbit.torch.keep_weights()")
        squeeze = dims == 1
        self.weight = None if self.lost else Weight(weight, (key, "weight"), squeeze)
        self.bias = None if bias is None else Weight(bias, (key, "bias"))

    def may_be_onednn(self):
        """Engine x86 gives a convolution to oneDNN iff the processor has VNNI and this holds."""
        return (self.groups <= 100 and not any(self.zero_points) and not self.output_padding
                and not (self.transposed and self.per_channel))

    def packed_by_fbgemm(self, engine):
        return engine == "fbgemm" or (engine == "x86" and not (detect() == "avx512_vnni" and self.may_be_onednn()))


def zero_points(weight):
    if weight.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return [weight.q_zero_point()]
    return weight.q_per_channel_zero_points().tolist()


def cell(params):
    """A dynamic RNN cell's pack: its state is (kind, [b_ih, b_hh], doubles, [reduce_range], packs)."""
    state = params.__getstate__()
    kind, biases, _, flags, packs = state[0] if isinstance(state[0], tuple) else state
    if kind != "quantized_dynamic":
        return None
    w_ih, w_hh = (linear(pack)[0] for pack in packs)
    key = identity(params)
    return {"weight_ih": Weight(w_ih.tensor, (key, "weight_ih")), "weight_hh": Weight(w_hh.tensor, (key, "weight_hh")),
            "bias_ih": Weight(biases[0], (key, "bias_ih")), "bias_hh": Weight(biases[1], (key, "bias_hh")),
            "reduce_range": bool(flags[0]) if flags else True}
