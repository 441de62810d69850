"""test_onnx_quantizer.py: networks quantized by ONNX Runtime's own tool, in every form that it writes."""

import json
import logging

import numpy as np
import pytest
from runtimes import need, need_program

need("onnx", "onnxruntime", "onnxruntime.quantization")

import onnx  # noqa: E402
import onnx_models as models  # noqa: E402
import recompute  # noqa: E402
import recompute_onnx  # noqa: E402
from onnxruntime import quantization as tool  # noqa: E402
from test_onnx_models import needs_x86  # noqa: E402

import lastbit.onnx  # noqa: E402
from lastbit import engine  # noqa: E402

U8, S8 = tool.QuantType.QUInt8, tool.QuantType.QInt8
SHAPE = (1, 3, 16, 16)

#: Form, type of activations, type of weights, a scale a channel.
FORMS = {"qdq-u8s8": (tool.QuantFormat.QDQ, U8, S8, False), "qdq-u8s8-channels": (tool.QuantFormat.QDQ, U8, S8, True),
         "qdq-s8s8": (tool.QuantFormat.QDQ, S8, S8, True), "qdq-u8u8": (tool.QuantFormat.QDQ, U8, U8, False),
         "operators-u8s8": (tool.QuantFormat.QOperator, U8, S8, True),
         "operators-s8s8": (tool.QuantFormat.QOperator, S8, S8, False)}


def network():
    """Float: convolutions, a depthwise one, a residual sum, pools, nearest resize, attention-like products."""
    b = models.Builder(4)

    def weight(name, *shape):
        size = np.sqrt(np.prod(shape[1:]))
        return b.const(name, (b.rng.normal(size=shape) / size).astype(np.float32))

    y = b.node("Relu", [b.node("Conv", ["x", weight("c1.w", 8, 3, 3, 3), weight("c1.b", 8)], "c1", pads=[1] * 4)], "r1")
    d = b.node("Conv", [y, weight("c2.w", 8, 1, 5, 5)], "c2", group=8, auto_pad="SAME_UPPER")
    d = b.node("Conv", [d, weight("c3.w", 8, 8, 1, 1), weight("c3.b", 8)], "c3")
    y = b.node("Add", [y, d], "sum")
    y = b.node("LeakyRelu", [y], "leaky", alpha=0.2)
    y = b.node("MaxPool", [y], "most", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    y = b.node("Resize", [y, "", b.const("factors", np.array([1, 1, 2, 1], np.float32))], "nearest", mode="nearest",
               coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    y = b.node("AveragePool", [y], "mean", kernel_shape=[2, 2], strides=[2, 2], count_include_pad=1)
    y = b.node("Reshape", [y, b.const("rows", np.array([0, 8, -1]))], "seq")
    t = b.node("Transpose", [y], "turned", perm=[0, 2, 1])
    p = b.node("MatMul", [y, t], "scores")
    p = b.node("Softmax", [p], "weights", axis=-1)
    y = b.node("MatMul", [p, y], "mixed")
    y = b.node("Add", [b.node("MatMul", [y, weight("fc.w", 32, 10)], "fc"), weight("fc.b", 10)], "logits")
    b.node("Sigmoid", [y], "y")
    return b.model([("x", models.FLOAT, SHAPE)], [("y", models.FLOAT, [1, 8, 10])], opset=21)


class Samples(tool.CalibrationDataReader):
    def __init__(self):
        rng = np.random.default_rng(0)
        self.each = iter([{"x": rng.normal(size=SHAPE).astype(np.float32)} for _ in range(4)])

    def get_next(self):
        return next(self.each, None)


@pytest.fixture(scope="module", params=[*FORMS, "dynamic"])
def dumped(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    onnx.save(network(), folder / "float.onnx")
    logging.disable(logging.WARNING)
    try:
        if request.param == "dynamic":
            tool.quantize_dynamic(folder / "float.onnx", folder / "net.onnx", weight_type=S8, per_channel=True)
        else:
            form, activation, weight, channels = FORMS[request.param]
            tool.quantize_static(folder / "float.onnx", folder / "net.onnx", Samples(), quant_format=form,
                                 activation_type=activation, weight_type=weight, per_channel=channels)
    finally:
        logging.disable(logging.NOTSET)
    x = np.random.default_rng(9).normal(size=SHAPE).astype(np.float32)
    return request.param, lastbit.onnx.dump(folder / "net.onnx", {"x": x}, folder / "run")


@needs_x86
def test_every_layer_that_is_checked_is_right(dumped):
    name, folder = dumped
    results = recompute.check(folder, recompute_onnx.rules)
    assert {layer: r for layer, r in results.items() if r and r[1]} == {}
    ops = {layer["name"]: layer["op"] for layer in json.loads((folder / "manifest.json").read_text())["layers"]}
    unchecked = {ops[layer] for layer, r in results.items() if r is None}
    if name in ("dynamic", "qdq-s8s8"):
        assert not {op for op in unchecked if op.islower()} - {"softmax"}
    else:
        assert unchecked <= {"softmax"}              # the tool leaves nothing in float; softmax is the program's


def test_the_program_finds_the_same(dumped):
    need_program()
    report = engine.verify(dumped[1], chained=True)
    assert not report.different, str(report)
