"""dynamic.py: linear layers whose input is quantized when it arrives, and weight-only ones."""

from lastbit.torch import packed
from lastbit.torch.call import Array, Layer
from lastbit.torch.older import item_size
from lastbit.torch.operators import operator


@operator("quantized::linear_dynamic", "quantized::linear_relu_dynamic")
def linear_dynamic(call):
    weight, bias = packed.linear(call["W_prepack"])
    activation = "relu" if "relu" in call.base else "none"
    return [Layer("linear_dynamic", {"x": call.x, "weight": weight, "bias": bias}, {"y": call.out},
                  {"activation": activation, "reduce_range": call["reduce_range"]}, engine=True, onednn=False)]


@operator("quantized::linear_with_input_q_dq_qweight_dq_output_fp32",
          "quantized::linear_with_input_q_dq_qweight_dq_relu_output_fp32")
def linear_fixed(call):
    """The input's qparams are arguments; nothing is chosen at run time."""
    weight, bias = packed.linear(call["W_prepack"])
    return [Layer("linear_dynamic", {"x": call.x, "weight": weight, "bias": bias}, {"y": call.out},
                  {"input_scale": call["X_scale"], "input_zero_point": call["X_zero_point"],
                   "activation": "relu" if "_relu_" in call.base else "none"}, engine=True, onednn=False)]


@operator("aten::_weight_int8pack_mm")
def weight_only(call):
    """Its weight is int8 as it stands, one scale a row."""
    weight = Array(call["mat2"].numpy(), {"scale": call["scales"].float().numpy(), "axis": 0})
    compute = "bfloat16" if item_size(call.x.dtype) == 2 else "float32"
    return [Layer("linear_weight_only", {"x": call.x, "weight": weight}, {"y": call.out},
                  {"compute": compute, "activation": "none"})]
