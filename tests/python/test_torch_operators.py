"""test_torch_operators.py: one operator at a time, called as PyTorch calls it: name, attributes, tensors."""

import json

import numpy as np
import pytest
from runtimes import need, need_program

need("torch")

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

import lastbit  # noqa: E402
import lastbit.torch  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore", "error::lastbit.LastbitWarning")

Q = torch.ops.quantized
X = torch.randn(2, 8, 6, 7, generator=torch.Generator().manual_seed(1))
NHWC = X.contiguous(memory_format=torch.channels_last)


def q(x, scale=0.03, zero_point=117, dtype=torch.quint8):
    return torch.quantize_per_tensor(x, scale, zero_point, dtype)


def w(*shape, axis=None, dtype=torch.qint8, seed=3):
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    if axis is None:
        return torch.quantize_per_tensor(values, 0.02, 0, dtype)
    count = shape[axis]
    return torch.quantize_per_channel(values, torch.linspace(0.01, 0.03, count, dtype=torch.float64),
                                     torch.zeros(count, dtype=torch.int64), axis, dtype)


def conv(dims, op, shape, *how, transposed=False, bias=True, **keys):
    """A call of a packed convolution: stride, padding, (output padding,) dilation, groups."""
    weight, outside = w(*shape), shape[1] * how[-1] if transposed else shape[0]

    def run(x):
        prepack = getattr(Q, f"conv_transpose{dims}d_prepack" if transposed else f"conv{dims}d_prepack")
        pack = prepack(weight, torch.linspace(-1, 1, outside) if bias else None, *how)
        return getattr(Q, op)(x, pack, *keys.get("last", (0.1, 100)))
    return run


def after_quantize(function):
    return lambda x: function(q(x))


def linear(op, *last):
    weight = w(5, 7, axis=0)
    return lambda x: getattr(Q, op)(x, Q.linear_prepack(weight, torch.linspace(-1, 1, 5)), *last)


def fixed(x, weight=w(5, 7)):
    pack = Q.linear_prepack(weight, torch.linspace(-1, 1, 5))
    return Q.linear_with_input_q_dq_qweight_dq_relu_output_fp32(x, 0.03, 117, pack)


#: name -> (function of the input, input, the ops that come after quantize, attributes of the last but moves)
CASES = {
    "relu": (lambda x: torch.relu(q(x)), X, ["relu"], {}),
    "relu_": (lambda x: q(x).relu_(), X, ["relu"], {}),
    "relu6": (lambda x: Q.relu6(q(x)), X, ["relu6"], {}),
    "hardtanh": (lambda x: F.hardtanh(q(x), -0.5, 0.7), X, ["hardtanh"], {"min_val": -0.5, "max_val": 0.7}),
    "clamp": (lambda x: torch.clamp(q(x), -0.5, 0.7), X, ["clamp"], {"min": -0.5, "max": 0.7}),
    "hardswish": (lambda x: Q.hardswish(q(x), 0.02, 9), NHWC, ["hardswish"], {}),
    "hardsigmoid": (lambda x: F.hardsigmoid(q(x)), X, ["hardsigmoid"], {}),
    "sigmoid": (lambda x: torch.sigmoid(q(x)), X, ["sigmoid"], {}),
    "sigmoid to": (lambda x: Q.sigmoid(q(x), 0.01, 3), X, ["sigmoid"], {}),
    "tanh": (lambda x: torch.tanh(q(x)), X, ["tanh"], {}),
    "gelu": (lambda x: F.gelu(q(x), approximate="tanh"), X, ["gelu"], {"approximate": "tanh"}),
    "elu": (lambda x: Q.elu(q(x), 0.02, 99, 1.5), X, ["elu"], {"alpha": 1.5, "scale": 1, "input_scale": 1}),
    "celu": (lambda x: Q.celu(q(x), 0.02, 99, 1.5), X, ["celu"], {"alpha": 1.5}),
    "leaky_relu": (lambda x: Q.leaky_relu(q(x), 0.2, False, 0.02, 99), X, ["leaky_relu"], {"negative_slope": 0.2}),
    "aten leaky_relu": (lambda x: F.leaky_relu(q(x), 0.2), X, ["leaky_relu"], {"negative_slope": 0.2}),
    "threshold": (lambda x: Q.threshold(q(x), 0.3, -0.1), X, ["threshold"], {"threshold": 0.3, "value": -0.1}),
    "softmax": (lambda x: Q.softmax(q(x), 1, 1 / 256, 0), X, ["softmax"], {"dim": 1}),
    "prelu": (lambda x: Q.prelu(q(x), q(torch.linspace(0, 0.5, 8), 0.01, 5), 0.03, 100), X, ["quantize", "prelu"], {}),
    "add": (lambda x: Q.add(q(x), q(x, 0.05, 3), 0.07, 90), NHWC, ["quantize", "add"], {"activation": "none"}),
    "add_relu": (lambda x: Q.add_relu(q(x), q(x, 0.05, 3), 0.07, 90), X, ["quantize", "add"], {"activation": "relu"}),
    "add broadcast": (lambda x: Q.add(q(x), q(x[:, :, :1, :1], 0.05, 3), 0.07, 90), X,
                      ["slice", "slice", "quantize", "add"], {"activation": "none"}),
    "add scalar": (lambda x: Q.add(q(x), 0.5), X, ["add_scalar"], {"other": 0.5, "activation": "none"}),
    "add_scalar": (lambda x: Q.add_scalar_relu(q(x), 0.5), X, ["add_scalar"], {"other": 0.5, "activation": "relu"}),
    "mul": (lambda x: Q.mul_relu(q(x), q(x, 0.05, 3), 0.07, 90), X, ["quantize", "mul"], {"activation": "relu"}),
    "mul scalar": (lambda x: Q.mul_scalar(q(x), -0.25), X, ["mul_scalar"], {"other": -0.25, "activation": "none"}),
    "cat": (lambda x: Q.cat([q(x), q(x, 0.05, 3)], -3, 0.07, 90), NHWC, ["quantize", "cat"], {"dim": 1, "activation": "none"}),
    "cat_relu": (lambda x: Q.cat_relu([q(x), q(x, 0.05, 3)], 1, 0.07, 90), X, ["quantize", "cat"], {"dim": 1, "activation": "relu"}),
    "aten cat": (lambda x: torch.cat([(y := q(x)), y], 2), X, ["cat"], {"dim": 2, "activation": "none"}),
    "matmul": (lambda x: Q.matmul(q(x), q(x).transpose(2, 3), 0.3, 120), X, ["quantize", "transpose", "matmul"], {}),
    "max_pool1d": (lambda x: F.max_pool1d(q(x), 3, 2, 1), X[0], ["max_pool1d"],
                   {"kernel_size": [3], "stride": [2], "padding": [1], "dilation": [1], "ceil_mode": False}),
    "max_pool2d": (lambda x: F.max_pool2d(q(x), 3, 2, 1, ceil_mode=True), NHWC, ["max_pool2d"],
                   {"kernel_size": [3, 3], "stride": [2, 2], "padding": [1, 1], "dilation": [1, 1], "ceil_mode": True}),
    "max_pool3d": (lambda x: F.max_pool3d(q(x), 2), X[None], ["max_pool3d"],
                   {"kernel_size": [2] * 3, "stride": [2] * 3, "padding": [0] * 3, "dilation": [1] * 3, "ceil_mode": False}),
    "avg_pool2d": (lambda x: F.avg_pool2d(q(x), 3, 2, 1, count_include_pad=False), NHWC, ["avg_pool2d"],
                   {"kernel_size": [3, 3], "stride": [2, 2], "padding": [1, 1], "ceil_mode": False, "count_include_pad": False}),
    "avg_pool2d by 5": (lambda x: F.avg_pool2d(q(x), 2, divisor_override=5), X, ["avg_pool2d"],
                        {"kernel_size": [2, 2], "stride": [2, 2], "padding": [0, 0], "ceil_mode": False,
                         "count_include_pad": True, "divisor_override": 5}),
    "avg_pool3d": (lambda x: F.avg_pool3d(q(x), 2), X[None], ["avg_pool3d"],
                   {"kernel_size": [2] * 3, "stride": [2] * 3, "padding": [0] * 3, "ceil_mode": False, "count_include_pad": True}),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(q(x), (3, 2)), NHWC, ["adaptive_avg_pool2d"], {"output_size": [3, 2]}),
    "adaptive_avg_pool3d": (lambda x: F.adaptive_avg_pool3d(q(x), 2), X[None], ["adaptive_avg_pool3d"], {"output_size": [2, 2, 2]}),
    "mean": (lambda x: q(x).mean([-2, -1], keepdim=True), X, ["mean"], {"dim": [2, 3], "keepdim": True}),
    "mean of all": (lambda x: q(x).mean(), X, ["mean"], {"dim": [0, 1, 2, 3], "keepdim": False}),
    "std": (lambda x: torch.std(q(x), [2, 3], correction=0, keepdim=False), X, ["std"],
            {"dim": [2, 3], "keepdim": False, "correction": 0}),
    "batch_norm": (lambda x: Q.batch_norm2d_relu(q(x), torch.ones(8), torch.zeros(8), torch.zeros(8), torch.ones(8), 1e-5, 0.02, 99),
                   NHWC, ["batch_norm"], {"eps": 1e-5, "activation": "relu"}),
    "layer_norm": (lambda x: Q.layer_norm(q(x), [7], torch.ones(7), torch.zeros(7), 1e-5, 0.02, 99), X, ["layer_norm"],
                   {"normalized_shape": [7], "eps": 1e-5}),
    "group_norm": (lambda x: Q.group_norm(q(x), 2, torch.ones(8), torch.zeros(8), 1e-5, 0.02, 99), X, ["group_norm"],
                   {"num_groups": 2, "eps": 1e-5}),
    "instance_norm": (lambda x: Q.instance_norm(q(x), None, None, 1e-5, 0.02, 99), X, ["instance_norm"], {"eps": 1e-5}),
    "nearest": (lambda x: F.interpolate(q(x), scale_factor=2), X, ["upsample_nearest2d"], {"output_size": [12, 14], "scales": [2.0, 2.0]}),
    "nearest exact": (lambda x: F.interpolate(q(x), (9, 9), mode="nearest-exact"), X, ["upsample_nearest_exact2d"], {"output_size": [9, 9]}),
    "bilinear": (lambda x: F.interpolate(q(x), (9, 11), mode="bilinear", align_corners=True), NHWC, ["upsample_bilinear2d"],
                 {"output_size": [9, 11], "align_corners": True}),
    "pad": (lambda x: F.pad(q(x), (1, 2, 0, 1), value=0.5), X, ["pad"], {"pad": [1, 2, 0, 1], "mode": "constant", "value": 0.5}),
    "reflect": (lambda x: F.pad(q(x), (1, 2, 0, 1), mode="reflect"), X, ["pad"], {"pad": [1, 2, 0, 1], "mode": "reflect"}),
    "view": (lambda x: q(x).view(2, -1), X, ["reshape"], {"shape": [2, 336]}),
    "flatten": (lambda x: torch.flatten(q(x), 1), X, ["reshape"], {"shape": [2, 336]}),
    "permute": (lambda x: q(x).permute(0, 2, 3, -3), X, ["permute"], {"dims": [0, 2, 3, 1]}),
    "transpose": (lambda x: q(x).transpose(-1, 1), X, ["transpose"], {"dim0": 3, "dim1": 1}),
    "slice": (lambda x: q(x)[:, 1:-1:2], X, ["slice"], {"dim": 1, "start": 1, "end": 7, "step": 2}),
    "contiguous": (lambda x: q(x).contiguous(memory_format=torch.channels_last), X, ["reshape"], {"shape": [2, 8, 6, 7]}),
    "flip": (lambda x: torch.flip(q(x), [-1, 1]), X, ["flip"], {"dims": [1, 3]}),
    "pixel_shuffle": (lambda x: F.pixel_shuffle(q(x), 2), X, ["pixel_shuffle"], {"upscale_factor": 2}),
    "channel_shuffle": (lambda x: F.channel_shuffle(q(x), 4), X, ["channel_shuffle"], {"groups": 4}),
    "quantize_dynamic": (lambda x: torch.quantize_per_tensor_dynamic(x, torch.quint8, True), X, [], {"reduce_range": True}),
    "linear": (after_quantize(linear("linear", 0.1, 100)), X, ["linear"], {"activation": "none"}),
    "linear_relu": (after_quantize(linear("linear_relu", 0.1, 100)), X, ["linear"], {"activation": "relu"}),
    "linear_dynamic": (linear("linear_dynamic", True), X, [], {"activation": "none", "reduce_range": True}),
    "linear_relu_dynamic": (linear("linear_relu_dynamic", False), X, [], {"activation": "relu", "reduce_range": False}),
    "linear q dq": (fixed, X, [], {"input_scale": 0.03, "input_zero_point": 117, "activation": "relu"}),
    "conv1d": (after_quantize(conv(1, "conv1d_relu", (6, 4, 3), [2], [1], [1], 2)), X[0], ["conv1d"],
               {"stride": [2], "padding": [1], "dilation": [1], "groups": 2, "activation": "relu"}),
    "conv2d": (after_quantize(conv(2, "conv2d", (6, 4, 3, 2), [2, 1], [1, 0], [1, 2], 2)), X, ["conv2d"],
               {"stride": [2, 1], "padding": [1, 0], "dilation": [1, 2], "groups": 2, "activation": "none"}),
    "conv3d": (after_quantize(conv(3, "conv3d", (3, 2, 2, 3, 3), [1, 1, 1], [0, 1, 1], [1, 1, 1], 1)), X[None], ["conv3d"],
               {"stride": [1] * 3, "padding": [0, 1, 1], "dilation": [1] * 3, "groups": 1, "activation": "none"}),
    "conv2d_dynamic": (conv(2, "conv2d_dynamic", (6, 8, 3, 3), [1, 1], [1, 1], [1, 1], 1, last=(False,)), X, [],
                       {"stride": [1, 1], "padding": [1, 1], "dilation": [1, 1], "groups": 1, "reduce_range": False}),
    "conv_transpose1d": (after_quantize(conv(1, "conv_transpose1d", (8, 3, 3), [2], [1], [0], [1], 1, transposed=True)), X[0],
                         ["conv_transpose1d"], {"stride": [2], "padding": [1], "output_padding": [0], "dilation": [1],
                                                "groups": 1, "activation": "none"}),
    "conv_transpose2d": (after_quantize(conv(2, "conv_transpose2d", (8, 6, 2, 2), [2, 2], [0, 0], [0, 0], [1, 1], 1, transposed=True)),
                         X, ["conv_transpose2d"], {"stride": [2, 2], "padding": [0, 0], "output_padding": [0, 0],
                                                   "dilation": [1, 1], "groups": 1, "activation": "none"}),
}
# linear reads rows of 7; conv1d reads [8, 6, 7] as a batch of 8 with 6 channels: give it [1, 8, 42].
CASES["conv1d"] = (CASES["conv1d"][0], X[:1].flatten(2), *CASES["conv1d"][2:])
CASES["conv_transpose1d"] = (CASES["conv_transpose1d"][0], X[:1].flatten(2), *CASES["conv_transpose1d"][2:])


@pytest.fixture(autouse=True)
def engine():
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm" if "fbgemm" in torch.backends.quantized.supported_engines else "qnnpack"
    yield
    torch.backends.quantized.engine = before


def dumped(function, inputs, out):
    folder = lastbit.torch.dump(function, inputs, out)
    return folder, json.loads((folder / "manifest.json").read_text())


@pytest.mark.parametrize("name", CASES)
def test_an_operator_has_its_name_and_its_attributes(name, tmp_path):
    function, x, ops, attributes = CASES[name]
    folder, top = dumped(function, x, tmp_path / "run")
    first = {"quantize_dynamic": "quantize_dynamic"}.get(name, top["layers"][0]["op"])
    found = [layer["op"] for layer in top["layers"]]
    assert found == [first, *ops]
    if attributes is not None:
        assert top["layers"][-1]["attributes"] == attributes
    assert top["layers"][-1]["inputs"].items() and "input" in top["tensors"]
    with torch.no_grad():
        expected = function(x)
    y = top["tensors"][top["layers"][-1]["outputs"]["y"]]
    array = np.load(folder / y["file"])
    if expected.is_quantized:
        assert array.tolist() == expected.int_repr().tolist()
        assert (y["scale"], y["zero_point"]) == (expected.q_scale(), expected.q_zero_point())
        if expected.dim() == 4 and not expected.is_contiguous() and expected.is_contiguous(memory_format=torch.channels_last):
            assert y["memory_layout"] == "NHWC"
    else:
        assert array.tobytes() == expected.contiguous().numpy().tobytes()


@pytest.mark.parametrize("name", CASES)
def test_lastbit_verifies_an_operator(name, tmp_path):
    need_program()
    function, x, ops, attributes = CASES[name]
    folder, top = dumped(function, x, tmp_path / "run")
    report = lastbit.verify(folder, chained=True)
    assert report.verdict == "identical", f"{report}"


@pytest.mark.parametrize("dim", [[2, 3], [-2, -1], [3, 2], [2, -1]])
def test_qnnpacks_mean_answers_to_2_and_3_as_written(dim, tmp_path, monkeypatch):
    """Zero point 1, means of 1.5: 2 by QNNPACK, 1 by the kernel that is asked for any other spelling."""
    need_program()
    monkeypatch.setattr(torch.backends.quantized, "engine", "qnnpack")
    codes = torch.tensor([[1, 2], [1, 2]] * 8).reshape(2, 4, 2, 2)
    x = (codes - 1) * 0.5
    folder, top = dumped(lambda v: torch.quantize_per_tensor(v, 0.5, 1, torch.quint8).mean(dim), x, tmp_path / "run")
    assert top["layers"][-1]["attributes"]["dim"] == dim
    assert lastbit.verify(folder).verdict == "identical"


def test_pieces_of_a_split_are_slices(tmp_path):
    folder, top = dumped(lambda x: Q.add(*torch.chunk(q(x), 2, 1), 0.1, 0), X, tmp_path)
    assert [(layer["name"], layer["op"]) for layer in top["layers"]] == [
        ("quantize_per_tensor", "quantize"), ("split.0", "slice"), ("split.1", "slice"), ("add", "add")]
    assert top["layers"][2]["attributes"] == {"dim": 1, "start": 4, "end": 8, "step": 1}


def test_an_index_is_a_slice_without_its_dimension(tmp_path):
    folder, top = dumped(lambda x: Q.add(*q(x)[:, 3:5].unbind(1), 0.1, 0).select(-1, -2), X, tmp_path)
    assert [(layer["name"], layer["op"]) for layer in top["layers"][2:]] == [
        ("unbind.0.cut", "slice"), ("unbind.0", "reshape"), ("unbind.1.cut", "slice"), ("unbind.1", "reshape"), ("add", "add"),
        ("select.cut", "slice"), ("select", "reshape")]
    assert top["layers"][-2]["attributes"] == {"dim": 2, "start": 5, "end": 6, "step": 1}
    assert np.load(folder / top["tensors"]["select.y"]["file"]).shape == (2, 6)


def test_a_stack_is_a_cat(tmp_path):
    folder, top = dumped(lambda x: torch.stack([(y := q(x)), torch.relu(y)], -1), X, tmp_path)
    assert [layer["op"] for layer in top["layers"]] == ["quantize", "relu", "reshape", "reshape", "cat"]
    assert top["layers"][-1]["attributes"] == {"dim": 4, "activation": "none"}


def test_a_contiguous_output_of_a_channels_last_input_says_so(tmp_path):
    """celu gives NCHW for NHWC: no vector of its kernel is filled then, and ties round another way than in one."""
    folder, top = dumped(lambda x: torch.relu(Q.celu(q(x, 4.0, 72), 2.0, 151, 1.0)), NHWC * 60, tmp_path)
    layouts = [tensor.get("memory_layout") for tensor in top["tensors"].values()]
    assert layouts == ["NHWC", "NHWC", "NCHW", None]
    need_program()
    assert lastbit.engine.verify(folder).identical


def test_an_operator_without_a_name_keeps_its_own(tmp_path):
    folder, top = dumped(lambda x: torch.index_select(q(x), 3, torch.tensor([1, 0])), X, tmp_path)
    layer = top["layers"][-1]
    assert layer["op"] == "aten.index_select.default" and layer["attributes"] == {"dim": 3}
    assert layer["inputs"]["self"] == "quantize_per_tensor.y"


def test_a_float_relu_is_the_activation_of_its_convolution(tmp_path):
    weight = torch.randn(4, 8, 3, 3)
    folder, top = dumped(lambda x: q(F.relu_(F.conv2d(q(x).dequantize(), weight))), X, tmp_path)
    assert [layer["op"] for layer in top["layers"]] == ["quantize", "dequantize", "conv2d", "quantize"]
    assert top["layers"][2]["attributes"]["activation"] == "relu" and top["layers"][2]["attributes"]["variant"] == "float"
    assert np.load(folder / top["tensors"][top["layers"][2]["outputs"]["y"]]["file"]).min() == 0
    assert len(list((folder / "tensors").iterdir())) == len(top["tensors"])


def test_a_float_relu_of_a_sum_that_is_read_elsewhere_stays_a_layer(tmp_path):
    weight = torch.randn(4, 8, 3, 3)

    def model(x):
        y = F.conv2d(q(x).dequantize(), weight)
        return q(y), F.relu(y)
    folder, top = dumped(model, X, tmp_path)
    assert [layer["op"] for layer in top["layers"]] == ["quantize", "dequantize", "conv2d", "quantize", "aten.relu.default"]


def test_a_tensor_overwritten_in_place_is_two_tensors(tmp_path):
    def model(x):
        y = q(x)
        z = Q.mul_scalar(y, 2.0)
        y.relu_()
        return Q.add(y, z, 0.1, 10)
    folder, top = dumped(model, X, tmp_path)
    by_name = {layer["name"]: layer for layer in top["layers"]}
    assert by_name["relu"]["inputs"] == {"x": "quantize_per_tensor.y"}
    assert by_name["add"]["inputs"] == {"a": "relu.y", "b": "mul_scalar.y"}
    before, after = (np.load(folder / top["tensors"][name]["file"]) for name in ("quantize_per_tensor.y", "relu.y"))
    assert (np.maximum(before, 117) == after).all() and (before != after).any()


def test_a_view_of_an_overwritten_tensor_is_not_taken_for_the_old_one(tmp_path):
    def model(x):
        y = q(x)
        view = y.view(2, -1)
        y.relu_()
        return Q.mul_scalar(view, 2.0)
    folder, top = dumped(model, X, tmp_path)
    used = np.load(folder / top["tensors"][top["layers"][-1]["inputs"]["a"]]["file"])
    assert used.min() == 117  # what the view holds after relu_, not before


def test_a_tensor_added_to_itself_in_place_is_read_as_it_was(tmp_path):
    def model(x):
        y = x.dequantize()
        y.add_(y)
        return q(y)
    folder, top = dumped(model, q(X), tmp_path)
    add, last = top["layers"][1:]
    assert add["inputs"] == {"self": "dequantize.y", "other": "dequantize.y"}
    assert last["inputs"] == {"x": add["outputs"]["y"]}


@pytest.mark.skipif("onednn" not in torch.backends.quantized.supported_engines, reason="this PyTorch has no oneDNN")
def test_a_convolution_added_to_its_own_input(tmp_path):
    torch.backends.quantized.engine = "onednn"
    pack = Q.conv2d_prepack(w(8, 8, 1, 1), None, [1, 1], [0, 0], [1, 1], 1)

    def model(x):
        y = q(x)
        return Q.conv2d_add_relu(y, y, pack, 0.1, 100)
    folder, top = dumped(model, X, tmp_path)
    layer = top["layers"][1]
    assert (layer["op"], layer["attributes"]["activation"]) == ("conv2d_add", "relu")
    assert layer["inputs"]["x"] == layer["inputs"]["a"] == "quantize_per_tensor.y"


@pytest.mark.parametrize("kind", [torch.nn.LSTMCell, torch.nn.GRUCell])
def test_a_cells_biases_are_those_of_its_packs(kind, tmp_path):
    """A converted cell keeps two more biases, random, that nothing reads."""
    torch.manual_seed(4)
    cell = kind(8, 6).eval()
    model, x = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(cell), {kind}), torch.randn(5, 8)
    folder, top = dumped(model, x, tmp_path)
    layer = top["layers"][1]
    for name in ("bias_ih", "bias_hh"):
        assert np.load(folder / top["tensors"][layer["inputs"][name]]["file"]).tolist() == getattr(cell, name).tolist()
        assert getattr(model[0], name).tolist() != getattr(cell, name).tolist()


@pytest.mark.parametrize("kind", [torch.nn.LSTMCell, torch.nn.GRUCell])
def test_lastbit_verifies_a_cell(kind):
    need_program()
    torch.manual_seed(4)
    model = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(kind(8, 6)).eval(), {kind})
    lastbit.torch.assert_bit_exact(model, torch.randn(5, 8), chained=True)


def test_packs_that_come_and_go_are_not_taken_for_one_another(tmp_path):
    weights = [w(7, 7, seed=seed) for seed in range(6)]

    def model(x):
        y = q(x)
        for weight in weights:
            y = Q.linear(y, Q.linear_prepack(weight, None), 0.1, 100)  # each pack is freed before the next is made
        return y
    folder, top = dumped(model, X, tmp_path)
    stored = [np.load(folder / top["tensors"][layer["inputs"]["weight"]]["file"]) for layer in top["layers"][1:]]
    assert [array.tolist() for array in stored] == [weight.int_repr().tolist() for weight in weights]


def test_a_quantized_input_and_no_quantize(tmp_path):
    folder, top = dumped(torch.relu, q(X), tmp_path)
    assert [layer["op"] for layer in top["layers"]] == ["relu"]
    assert top["tensors"]["input"]["scale"] == 0.03 and top["tensors"]["input"]["dtype"] == "uint8"


def test_per_channel_arrays_are_whole(tmp_path):
    scales, zeros = torch.linspace(0.01, 0.08, 8, dtype=torch.float64), torch.arange(8)
    folder, top = dumped(lambda x: torch.quantize_per_channel(x, scales, zeros, 1, torch.quint8).dequantize(), X, tmp_path)
    y = top["tensors"]["quantize_per_channel.y"]
    assert y["axis"] == 1
    assert np.load(folder / y["scale"]["file"]).tolist() == scales.tolist()
    assert np.load(folder / y["zero_point"]["file"]).tolist() == zeros.tolist()


@pytest.mark.parametrize("bits, dtype, name", [(8, "uint8", "byte"), (4, "uint4", "4bit"), (2, "uint2", "2bit")])
def test_rowwise_tables(bits, dtype, name, tmp_path):
    table = torch.randn(20, 8, generator=torch.Generator().manual_seed(5))
    prepack, bag = getattr(Q, f"embedding_bag_{name}_prepack"), getattr(Q, f"embedding_bag_{name}_rowwise_offsets")
    indices, offsets = torch.tensor([1, 4, 19, 0, 3]), torch.tensor([0, 2])
    folder, top = dumped(lambda t, i, o: bag(prepack(t), i, o), (table, indices, offsets), tmp_path)
    assert [layer["op"] for layer in top["layers"]] == ["quantize_rowwise", "embedding_bag"]
    pack, use = top["layers"]
    assert use["inputs"]["weight"] == pack["outputs"]["y"] and use["inputs"]["weight_bias"] == pack["outputs"]["bias"]
    weight = top["tensors"][pack["outputs"]["y"]]
    stored = np.load(folder / weight["file"])
    assert weight["dtype"] == dtype and stored.shape == (20, 8 * bits // 8)
    if bits < 8:
        assert weight["packed"] == "low_first" and weight["shape"] == [20, 8]
        stored = ((stored[..., None] >> (np.arange(8 // bits, dtype=np.uint8) * bits)) & (2 ** bits - 1)).reshape(20, 8)
    scale, bias = np.load(folder / weight["scale"]["file"]), np.load(folder / top["tensors"][pack["outputs"]["bias"]]["file"])
    unpacked = getattr(Q, f"embedding_bag_{name}_unpack")(prepack(table)).numpy()
    assert np.abs(stored * scale[:, None] + bias[:, None] - unpacked).max() < 1e-6


def test_a_4_bit_table_stays_packed(tmp_path):
    weight = torch.quantize_per_channel(torch.randn(10, 6), torch.full((10,), 0.2), torch.full((10,), 7.5), 0, torch.quint4x2)
    pack = Q.embedding_bag_prepack(weight)
    folder, top = dumped(lambda i, o: Q.embedding_bag_4bit(pack, i, o), (torch.tensor([1, 2, 9]), torch.tensor([0, 1])), tmp_path)
    entry = top["tensors"][top["layers"][0]["inputs"]["weight"]]
    assert (entry["dtype"], entry["packed"], entry["shape"]) == ("uint4", "low_first", [10, 6])
    assert np.load(folder / entry["file"]).shape == (10, 3)
    assert np.load(folder / entry["zero_point"]["file"]).dtype == np.float32


def direct(x):
    """FBGEMM packs this for its direct kernel, whose pack does not give the weight back."""
    pack = Q.conv_transpose2d_prepack(w(8, 16, 2, 2), None, [2, 2], [0, 0], [0, 0], [1, 1], 1)
    return lambda y: Q.conv_transpose2d(q(y), pack, 0.1, 100)


@pytest.mark.skipif("fbgemm" not in torch.backends.quantized.supported_engines, reason="this PyTorch has no FBGEMM")
def test_a_weight_that_its_pack_has_lost_is_not_invented(tmp_path):
    model = direct(X)
    with pytest.warns(lastbit.LastbitWarning, match="cannot be judged: FBGEMM's pack"):
        folder, top = dumped(model, X, tmp_path / "lost")
    layer = top["layers"][-1]
    assert "weight" not in layer["inputs"] and "uninitialised" in layer["attributes"]["not_judged"]
    with lastbit.torch.keep_weights():
        model = direct(X)
    folder, top = dumped(model, X, tmp_path / "kept")
    layer = top["layers"][-1]
    kept = np.load(folder / top["tensors"][layer["inputs"]["weight"]]["file"])
    assert kept.tolist() == w(8, 16, 2, 2).int_repr().tolist() and "not_judged" not in layer["attributes"]
    folder, top = dumped(lambda y: direct(y)(y), X, tmp_path / "seen")
    assert "weight" in top["layers"][-1]["inputs"]


@pytest.mark.skipif("qnnpack" not in torch.backends.quantized.supported_engines, reason="this PyTorch has no QNNPACK")
def test_qnnpacks_3d_weights_are_kept_while_they_are_packed(tmp_path):
    torch.backends.quantized.engine = "qnnpack"
    weight = w(3, 2, 2, 3, 3)

    def pack():
        return Q.conv3d_prepack(weight, torch.ones(3), [1, 1, 1], [0, 1, 1], [1, 1, 1], 1)

    def convolution(pack):
        return lambda x: Q.conv3d(q(x), pack, 0.1, 100)

    with pytest.warns(lastbit.LastbitWarning, match="QNNPACK only supports conv2d_unpack"):
        folder, top = dumped(convolution(pack()), X[None], tmp_path / "lost")
    assert list(top["layers"][-1]["inputs"]) == ["x"]
    with lastbit.torch.keep_weights():
        kept = pack()
    folder, top = dumped(convolution(kept), X[None], tmp_path / "kept")
    inputs = top["layers"][-1]["inputs"]
    assert np.load(folder / top["tensors"][inputs["weight"]]["file"]).tolist() == weight.int_repr().tolist()
    assert np.load(folder / top["tensors"][inputs["bias"]]["file"]).tolist() == [1, 1, 1]
