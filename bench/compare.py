#!/usr/bin/env python3
"""compare.py: lastbit against the runtimes it judges, the same layers in the same run.

    bench/compare.py --bench build/release/lastbit_bench [--rounds 9] [--isa vnni] [--skip torch,litert]

Every engine has a process of its own and one thread. They take turns, a slot of 20 ms each, layer by layer: what the machine does
meanwhile happens to all of them. A slot's time is its fastest call, an engine's its fastest slot; ratios are of these, and behind
them stands what single rounds gave. ONNX Runtime's output is what lastbit compares with: every mismatch is counted, and none is expected. (On AVX2 ONNX
Runtime saturates int16 pairs: what lastbit compares with always comes from a run on the whole processor.)

--isa vnni (the default) hides AMX from the runtimes, --isa avx2 all beyond AVX2 (hide_isa.c answers CPUID in the processor's place), and
limits lastbit to the same; --isa native hides nothing. Where the processor has no CPUID faulting, a copy of ONNX Runtime asks hide_isa.c
by another instruction (objdump finds each CPUID), and the other runtimes are left out.
"""
import argparse
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
SLOT = 0.02
# kind, sizes: conv CHANNELS OUT SIZE KERNEL GROUPS, matmul ROWS K COLUMNS. The first five are bound by arithmetic, the last by memory.
LAYERS = [("conv", 64, 64, 56, 3, 1), ("conv", 256, 256, 14, 3, 1), ("conv", 512, 2048, 7, 1, 1), ("matmul", 1024, 1024, 1024), ("conv", 32, 32, 112, 3, 32), ("matmul", 1, 4096, 4096)]
COMPUTE_BOUND = range(5)


def title(layer):
    if layer[0] == "matmul":
        return "matmul " + "x".join(map(str, layer[1:]))
    channels, out, size, kernel, groups = layer[1:]
    return f"{'depthwise' if groups == channels else 'conv'} {kernel}x{kernel} {size}x{size} {channels}" + ("" if groups > 1 else f"->{out}")


def operations(layer):
    if layer[0] == "matmul":
        return 2 * layer[1] * layer[2] * layer[3]
    channels, out, size, kernel, groups = layer[1:]
    return 2 * out * (channels // groups) * kernel * kernel * size * size


class Problem:
    """Operands of a layer: |N(0, 60)| and N(0, 40), as quantized networks have them; an output scale that fills uint8."""

    def __init__(self, layer, seed):
        self.layer, self.x_zero, self.y_zero = layer, 3, 120
        random = np.random.default_rng(seed)
        x = lambda *shape: np.clip(np.abs(random.normal(0, 60, shape)), 0, 255).astype(np.uint8)
        w = lambda *shape: np.clip(np.rint(random.normal(0, 40, shape)), -127, 127).astype(np.int8)
        if layer[0] == "matmul":
            rows, k, columns = layer[1:]
            self.x, self.w, self.channels, terms = x(rows, k), w(columns, k), 1, k  # [O, I]
        else:
            channels, out, size, kernel, groups = layer[1:]
            self.x, self.w, self.channels, terms = x(1, channels, size, size), w(out, channels // groups, kernel, kernel), out, channels // groups * kernel * kernel
        self.x_scale = np.float32(0.02)
        self.w_scale = (0.01 * (1 + 0.2 * random.random(self.channels))).astype(np.float32)
        self.y_scale = np.float32(0.02 * 0.01 * 60 * 40 * math.sqrt(terms) / 40)

    def multiplier(self):
        """onnxruntime/core/providers/cpu/quantization: output scales in float32, product first."""
        return (self.x_scale * self.w_scale / self.y_scale).astype(np.float32)


# ---- engines: a worker process reads "LAYER" and writes the slot's fastest call in seconds ----------------------------------------

def slot(call):
    import time
    best, total = math.inf, 0.0
    while total < SLOT or best is math.inf:
        start = time.perf_counter()
        call()
        t = time.perf_counter() - start
        best, total = min(best, t), total + t
    return best


def onnx_session(p):
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
    n = lambda value, name: numpy_helper.from_array(np.asarray(value), name)
    scales = [n(p.x_scale, "xs"), n(np.uint8(p.x_zero), "xz"), n(p.y_scale, "ys"), n(np.uint8(p.y_zero), "yz")]
    if p.layer[0] == "matmul":
        node = helper.make_node("QLinearMatMul", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"])
        weights = [n(np.ascontiguousarray(p.w.T), "w"), n(p.w_scale[0], "ws"), n(np.int8(0), "wz")]
    else:
        kernel, groups = p.layer[4], p.layer[5]
        node = helper.make_node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"], pads=[kernel // 2] * 4, group=groups, kernel_shape=[kernel, kernel])
        weights = [n(p.w, "w"), n(p.w_scale, "ws"), n(np.zeros(len(p.w_scale), np.int8), "wz")]
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.UINT8, p.x.shape)], [helper.make_tensor_value_info("y", TensorProto.UINT8, [None] * p.x.ndim)], scales + weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def onnxruntime_calls(problems, folder):
    calls = []
    for i, p in enumerate(problems):
        session = onnx_session(p)
        y = session.run(None, {"x": p.x})[0]
        if folder:
            pathlib.Path(folder, f"{i}.y").write_bytes(np.ascontiguousarray(y).tobytes())
        calls.append(lambda session=session, p=p: session.run(None, {"x": p.x}))
    return calls


def torch_calls(engine):
    def calls(problems, folder):
        import torch
        torch.set_num_threads(1)
        torch.backends.quantized.engine = engine
        made = []
        for p in problems:
            scale, zero = float(p.y_scale), p.y_zero
            quantized = torch._make_per_tensor_quantized_tensor(torch.from_numpy(p.x), float(p.x_scale), p.x_zero)
            w = torch._make_per_channel_quantized_tensor(torch.from_numpy(p.w), torch.from_numpy(np.broadcast_to(p.w_scale, len(p.w)).copy()).double(), torch.zeros(len(p.w), dtype=torch.long), 0)
            if p.layer[0] == "matmul":
                packed = torch.ops.quantized.linear_prepack(w, None)
                made.append(lambda x=quantized, w=packed, s=scale, z=zero: torch.ops.quantized.linear(x, w, s, z))
            else:
                kernel, groups = p.layer[4], p.layer[5]
                packed = torch.ops.quantized.conv2d_prepack(w, None, [1, 1], [kernel // 2] * 2, [1, 1], groups)
                made.append(lambda x=quantized.contiguous(memory_format=torch.channels_last), w=packed, s=scale, z=zero: torch.ops.quantized.conv2d(x, w, s, z))
        return made
    return calls


def litert_calls(problems, folder):
    """LiteRT's reference kernels (BUILTIN_REF) on int8 layers of the same sizes, NHWC."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    sys.path.insert(0, str(HERE.parent / "tests" / "python"))
    import litert_models
    calls = []
    for p in problems:
        b = litert_models.Builder()
        if p.layer[0] == "matmul":
            x = b.tensor("x", p.x.shape, scale=p.x_scale, zero=p.x_zero - 128)
            y = b.dense(x, "y", p.layer[3], p.y_scale, p.y_zero - 128)
        else:
            channels, out, size, kernel, groups = p.layer[1:]
            x = b.tensor("x", (1, size, size, channels), scale=p.x_scale, zero=p.x_zero - 128)
            y = b.depthwise(x, "y", (kernel, kernel), p.y_scale, p.y_zero - 128) if groups == channels else b.conv(x, "y", out, (kernel, kernel), p.y_scale, p.y_zero - 128)
        interpreter = Interpreter(model_content=b.model([x], [y]), num_threads=1, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
        interpreter.allocate_tensors()
        calls.append(interpreter.invoke)
    return calls


ENGINES = {"onnxruntime": onnxruntime_calls, "torch-x86": torch_calls("x86"), "torch-onednn": torch_calls("onednn"), "torch-fbgemm": torch_calls("fbgemm"), "litert-ref": litert_calls}


def work(engine, folder):
    """The worker: an engine's slots, one per line read."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a runtime prints is not an answer
    problems = [Problem(layer, i) for i, layer in enumerate(LAYERS)]
    calls = ENGINES[engine](problems, folder)
    print("ready", file=out, flush=True)
    for line in sys.stdin:
        print(slot(calls[int(line)]), file=out, flush=True)


class Worker:
    def __init__(self, command, **keys):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **keys)
        self.ready = self.process.stdout.readline().split()

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def write_layers(problems, folder):
    lines = []
    for i, p in enumerate(problems):
        lines.append(" ".join(map(str, [*p.layer, p.x_zero, p.y_zero])))
        pathlib.Path(folder, f"{i}.x").write_bytes(p.x.tobytes())
        pathlib.Path(folder, f"{i}.w").write_bytes(p.w.tobytes())
        pathlib.Path(folder, f"{i}.m").write_bytes(p.multiplier().tobytes())
    pathlib.Path(folder, "layers.txt").write_text("\n".join(lines) + "\n")


def without_cpuid(folder):
    """A copy of ONNX Runtime's package under `folder`, each CPUID of its library UD0: what hide_isa.c answers where CPUID cannot fault."""
    import onnxruntime
    package = pathlib.Path(onnxruntime.__file__).parent
    copy = shutil.copytree(package, pathlib.Path(folder, "onnxruntime"), copy_function=os.symlink)
    library = next(copy.glob("capi/onnxruntime_pybind11_state*.so"))
    code = bytearray(library.read_bytes())
    library.unlink()
    headers = subprocess.run(["objdump", "-h", "-w", package / "capi" / library.name], check=True, capture_output=True, text=True).stdout
    text = next(fields for fields in map(str.split, headers.splitlines()) if fields[1:2] == [".text"])
    shift = int(text[5], 16) - int(text[3], 16)  # file offset less address
    listing = subprocess.run(["objdump", "-d", "-j", ".text", package / "capi" / library.name], check=True, capture_output=True, text=True).stdout
    for address in re.findall(r"^ *([0-9a-f]+):\s+0f a2 +\tcpuid", listing, re.MULTILINE):
        at = int(address, 16) + shift
        assert code[at:at + 2] == b"\x0f\xa2"
        code[at + 1] = 0xFF
    library.write_bytes(code)


def hidden(isa, folder, environment):
    """The environment of runtimes that see no better instruction set than `isa`, and whether ONNX Runtime alone is such a one."""
    library = f"{folder}/hide_isa.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, str(HERE / "hide_isa.c")], check=True)
    limited = dict(environment, LD_PRELOAD=library, LASTBIT_ISA=isa)
    if subprocess.run(["true"], env=limited, stderr=subprocess.DEVNULL).returncode == 0:
        return limited, False
    without_cpuid(folder)
    return dict(limited, LASTBIT_PATCHED="1", PYTHONPATH=os.pathsep.join([folder, *environment.get("PYTHONPATH", "").split(os.pathsep)])), True


def geometric(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default="build/release/lastbit_bench", help="the program lastbit_bench")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--isa", choices=("native", "vnni", "avx2"), default="vnni", help="the best instruction set that either side may use")
    parser.add_argument("--skip", default="", help="engines left out, comma-separated: " + ", ".join(list(ENGINES)[1:]))
    parser.add_argument("--worker", nargs=2, metavar=("ENGINE", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work(*arguments.worker)
    with tempfile.TemporaryDirectory(prefix="lastbit-bench-") as folder:
        problems = [Problem(layer, i) for i, layer in enumerate(LAYERS)]
        write_layers(problems, folder)
        environment = dict(os.environ, OMP_NUM_THREADS="1")
        limited, alone = (environment, False) if arguments.isa == "native" else hidden(arguments.isa, folder, environment)
        engines = {}
        names = [e for e in ENGINES if not any(e.startswith(s) for s in arguments.skip.split(",") if s) and (not alone or e == "onnxruntime")]
        # The outputs that lastbit compares with come from ONNX Runtime on the whole processor, where it is exact.
        exact = Worker([sys.executable, __file__, "--worker", "onnxruntime", folder], env=environment)
        exact.close()
        for name in names:
            worker = Worker([sys.executable, __file__, "--worker", name, ""], env=limited)
            if worker.ready != ["ready"]:
                print(f"{name}: not measured (it does not run here)")
                continue
            engines[name] = worker
        lastbit = Worker([arguments.bench, "--serve", folder] + (["--target", "avx2"] if arguments.isa == "avx2" else []), env=environment)
        if lastbit.ready[:1] != ["ready"]:
            sys.exit(f"compare.py: {arguments.bench}: found no answer, expected lastbit_bench (cmake --build --preset release --target lastbit_bench)")
        if "onnxruntime" not in engines:
            sys.exit("compare.py: ONNX Runtime does not run")
        forms = ("sums", "compare", "whole")
        times = {(f, i): [] for f in [*forms, *engines] for i in range(len(LAYERS))}
        mismatches, kernels = 0, {}
        for _ in range(arguments.rounds):
            for i in range(len(LAYERS)):
                for form in forms:
                    seconds, _pack, wrong, kernel = lastbit.ask(f"{i} {form}")
                    times[form, i].append(float(seconds))
                    mismatches += int(wrong)
                    kernels[i] = kernel
                for name, worker in engines.items():
                    times[name, i].append(float(worker.ask(str(i))[0]))
        for worker in [lastbit, *engines.values()]:
            worker.close()

    print(f"lastbit on {lastbit.ready[1]}, {arguments.rounds} rounds, one thread; GOP/s, and speed relative to each engine (lastbit / engine) [least, most of a round]\n")
    ratio = {}
    for i, layer in enumerate(LAYERS):
        print(f"{title(layer)}   ({kernels[i]})")
        for key in [*forms, *engines]:
            t = min(times[key, i])
            line = f"    {key:14} {operations(layer) / t / 1e9:8.1f} GOP/s  {t * 1e3:8.3f} ms"
            if key in forms:
                for name in engines:
                    r = sorted(e / l for e, l in zip(times[name, i], times[key, i]))
                    ratio[key, name, i] = min(times[name, i]) / t
                    line += f"   {name} {ratio[key, name, i]:.2f} [{r[0]:.2f}, {r[-1]:.2f}]"
            print(line)
    print()
    for name in engines:
        for form in forms:
            each = [ratio[form, name, i] for i in COMPUTE_BOUND]
            print(f"{form:8} against {name}: geometric mean {geometric(each):.2f} over the first five, worst {min(ratio[form, name, i] for i in range(len(LAYERS))):.2f} over all")
    best = [max(ratio["compare", "onnxruntime", i], ratio["whole", "onnxruntime", i]) for i in COMPUTE_BOUND]
    print(f"sums, requantized and compared, in the better of both orders of storage: geometric mean {geometric(best):.2f} x onnxruntime")
    print(f"{mismatches} mismatches")
    return 1 if mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
