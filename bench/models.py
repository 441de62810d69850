#!/usr/bin/env python3
"""Whole models: how long ONNX Runtime takes to run one, and how long lastbit takes to verify it, in one run.

usage: models.py [--lastbit PROGRAM] [--rounds N] [--size PIXELS] [--keep FOLDER] [MODEL...]

Networks of the shape of ResNet-50 and MobileNet-V1, quantized (QLinearConv and kin, uint8 activations, int8 weights per channel), with
random weights, are run by ONNX Runtime, dumped by lastbit.onnx, and verified. Every round times each contender once; medians, the fastest and
ratios are printed, nothing is asserted on time, but a mismatch is an error. Causes are armed everywhere: a layer that differs is explained.

Kernels, tensors mapped and weights packed, as inference is timed: sums of the layers' time_ms in the second of two passes
  integer      --forms integer --no-events: accumulate, requantize, compare
  events       the same with ties and clamps counted
  three forms  the same with the float and the exact form, too
A dump in one shot, from its warm .npy to the report: manifest, mapping, packing, verification, JSON; in a process that has started, as
inference has (lastbit_bench --dump beside PROGRAM)
  one shot     integer form, without events
  ... forms    all three forms, with events
  -j 2         the same by two threads; "apart": two shots at the same time, the half of it: what two cores give
The program from start to end, --no-evidence --format json
  process, ... forms    as above; of it, "start" is what a process takes that does nothing (--version): loading, linking
  evidence     integer, with events and, for every layer, which other profiles would have given it, too
  all          everything: three forms, events, evidence
  ... -j 2     by two threads
  by hand      the convolutions alone, again in float32 PyTorch (by_hand.py), where PyTorch is installed; without imports
"""
import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import lastbit.onnx  # noqa: E402

try:
    import by_hand
except ImportError:
    by_hand = None


class Network:
    """A chain of quantized operators, grown one call at a time."""

    def __init__(self, size, seed):
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants = [], []
        self.count = 0
        self.shape = (1, 3, size, size)
        self.input_shape = self.shape

    def constant(self, value):
        name = "c%d" % len(self.constants)
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def qparams(self, scale, zero_point):
        return [self.constant(np.array(scale, np.float32)), self.constant(np.array(zero_point, np.uint8))]

    def node(self, op, inputs, domain="", **attributes):
        self.count += 1
        name = "t%d" % self.count
        self.nodes.append(helper.make_node(op, inputs, [name], "%s_%d" % (op, self.count), domain=domain, **attributes))
        return name

    def conv(self, x, channels, kernel, stride=1, groups=1, relu=True):
        """x: (name, scale, zero point, shape). A relu is what a zero point of 0 clamps."""
        name, scale, zero, (n, c, h, w) = x
        weight = np.clip(self.random.normal(0, 40, (channels, c // groups, kernel, kernel)).round(), -127, 127).astype(np.int8)
        scale_w = (self.random.uniform(0.5, 1.5, channels) * 1e-3).astype(np.float32)
        terms = c // groups * kernel * kernel
        out_scale, out_zero = float(np.float32(scale * 1e-3 * np.sqrt(terms) * 40)), 0 if relu else 128
        bias = self.random.normal(0, 300, channels).round().astype(np.int32)
        pad = (kernel - 1) // 2
        y = self.node("QLinearConv", [name, *self.qparams(scale, zero), self.constant(weight), self.constant(scale_w),
                                      self.constant(np.zeros(channels, np.int8)), *self.qparams(out_scale, out_zero), self.constant(bias)],
                      kernel_shape=[kernel, kernel], strides=[stride, stride], pads=[pad] * 4, group=groups)
        return y, out_scale, out_zero, (n, channels, (h + 2 * pad - kernel) // stride + 1, (w + 2 * pad - kernel) // stride + 1)

    def add(self, a, b):
        scale = float(np.float32(max(a[1], b[1]) * 1.5))
        y = self.node("QLinearAdd", [a[0], *self.qparams(a[1], a[2]), b[0], *self.qparams(b[1], b[2]), *self.qparams(scale, 0)], "com.microsoft")
        return y, scale, 0, a[3]

    def max_pool(self, x):
        n, c, h, w = x[3]
        return self.node("MaxPool", [x[0]], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4), x[1], x[2], (n, c, (h - 1) // 2 + 1, (w - 1) // 2 + 1)

    def head(self, x, classes):
        name, scale, zero, (n, c, _, _) = x
        y = self.node("QLinearGlobalAveragePool", [name, *self.qparams(scale, zero), *self.qparams(scale, zero)], "com.microsoft", channels_last=0)
        flat = self.node("Flatten", [y], axis=1)
        weight = np.clip(self.random.normal(0, 40, (c, classes)).round(), -127, 127).astype(np.int8)
        scale_w = np.full(classes, 1e-3, np.float32)
        return self.node("QGemm", [flat, *self.qparams(scale, zero), self.constant(weight), self.constant(scale_w), self.constant(np.zeros(classes, np.int8)),
                                   self.constant(np.zeros(classes, np.int32)), *self.qparams(scale * 1e-3 * np.sqrt(c) * 40, 128)], "com.microsoft")

    def model(self, y):
        graph = helper.make_graph(self.nodes, "network", [helper.make_tensor_value_info("x", TensorProto.UINT8, self.input_shape)],
                                  [helper.make_tensor_value_info(y, TensorProto.UINT8, None)], self.constants)
        return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)])


def resnet50(size):
    net = Network(size, 50)
    x = net.max_pool(net.conv(("x", 0.02, 128, net.shape), 64, 7, 2))
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            step = stride if block == 0 else 1
            y = net.conv(net.conv(net.conv(x, width, 1), width, 3, step), width * 4, 1, relu=False)
            x = net.add(y, net.conv(x, width * 4, 1, step, relu=False) if block == 0 else x)
    return net.model(net.head(x, 1000))


def mobilenet(size):
    net = Network(size, 1)
    x = net.conv(("x", 0.02, 128, net.shape), 32, 3, 2)
    for channels, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1)):
        x = net.conv(net.conv(x, x[3][1], 3, stride, x[3][1]), channels, 1)
    return net.model(net.head(x, 1000))


MODELS = {"resnet50": resnet50, "mobilenet": mobilenet}


def milliseconds(work):
    start = time.perf_counter()
    result = work()
    return (time.perf_counter() - start) * 1e3, result


def process(folder, *command):
    """Wall time in ms of a process whose output goes to a file in `folder`, and what it wrote: spawned, no pipe in its way."""
    written = folder / "report.json"
    output = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        start = time.perf_counter()
        pid = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, output, 1)])
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        ms = (time.perf_counter() - start) * 1e3
    finally:
        os.close(output)
    if status not in (0, 1):
        sys.exit("%s: found exit code %d, expected 0 or 1" % (" ".join(command), status))
    return ms, written.read_text()


def verify(folder, program, dump, *options):
    """Wall time in ms, the report."""
    ms, report = process(folder, program, "verify", str(dump), "--format", "json", *options)
    return ms, json.loads(report)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help="of " + ", ".join(MODELS))
    parser.add_argument("--lastbit", default=os.environ.get("LASTBIT", "build/release/lastbit"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--keep", help="where the dumps go, to be used again")
    options = parser.parse_args()
    status = 0
    with tempfile.TemporaryDirectory(prefix="lastbit-bench-") as temporary:
        folder = pathlib.Path(options.keep or temporary)
        for name in options.models or MODELS:
            model = MODELS[name](options.size)
            x = np.random.default_rng(7).integers(0, 256, (1, 3, options.size, options.size)).astype(np.uint8)
            dump = folder / name
            if not dump.exists():
                lastbit.onnx.dump(model, {"x": x}, dump)
            settings = onnxruntime.SessionOptions()
            settings.intra_op_num_threads = 1
            settings.log_severity_level = 4
            session = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
            times = {}

            def note(key, ms):
                times.setdefault(key, []).append(ms)

            def run(*how, threads=1, dumps=1):
                return verify(pathlib.Path(temporary), options.lastbit, dump, "-j", str(threads), *[str(dump)] * (dumps - 1), *how)

            def kernels(*how):
                """Milliseconds of the layers of the second of two passes of one process, less loading and packing."""
                layers = run(*how, "--no-evidence", "--timings", dumps=2)[1]["layers"]
                return sum(layer["time_ms"] for layer in layers[len(layers) // 2:])

            def shots(suffix, *how):
                bench = pathlib.Path(options.lastbit).resolve().parent / "lastbit_bench"
                for line in process(pathlib.Path(temporary), str(bench), "--dump", str(dump), "-j", "2", "--rounds", "3", *how)[1].splitlines():
                    what, ms, _ = line.split()
                    note({"one": "one shot", "together": "-j 2", "apart": "apart", "open": "its manifest", "report": "its report"}[what] + suffix, float(ms))

            lean, forms = ("--forms", "integer", "--no-evidence", "--no-events"), ("--no-evidence",)
            for _ in range(options.rounds):
                session.run(None, {"x": x})
                note("inference", statistics.median(milliseconds(lambda: session.run(None, {"x": x}))[0] for _ in range(5)))
                note("integer", kernels("--forms", "integer", "--no-events"))
                note("events", kernels("--forms", "integer"))
                note("three forms", kernels())
                shots("")
                shots(" forms", "--forms")
                ms, report = run(*lean)
                note("process", ms)
                note("start", process(pathlib.Path(temporary), options.lastbit, "--version")[0])
                note("process -j 2", run(*lean, threads=2)[0])
                note("process forms", run(*forms)[0])
                note("proc. forms -j 2", run(*forms, threads=2)[0])
                note("evidence", run("--forms", "integer")[0])
                note("all", run()[0])
                note("all -j 2", run(threads=2)[0])
                if by_hand:
                    note("by hand", milliseconds(lambda: by_hand.check(dump))[0])
            median = {key: statistics.median(v) for key, v in times.items()}
            best = {key: min(v) for key, v in times.items()}
            wrong = sum(layer["mismatches"] for layer in report["layers"])
            print("%s: %d layers, %d elements, %d mismatches" % (name, len(report["layers"]), sum(layer["elements"] for layer in report["layers"]), wrong))
            for key, ms in median.items():
                print("  %-18s %9.2f ms  %6.2f x inference    fastest %9.2f ms  %6.2f x" % (key, ms, ms / median["inference"], best[key], best[key] / best["inference"]))
            for one, two in (("one shot", "-j 2"), ("one shot", "apart"), ("one shot forms", "-j 2 forms"), ("one shot forms", "apart forms"), ("process", "process -j 2"), ("process forms", "proc. forms -j 2"), ("all", "all -j 2")):
                print("  %s -> %s: %.2f x faster (fastest %.2f)" % (one, two, median[one] / median[two], best[one] / best[two]))
            status |= wrong != 0
    return status


if __name__ == "__main__":
    sys.exit(main())
