"""run.py: runs a .tflite model in LiteRT as a user would, then shows every tensor on the way.

The interpreter can keep every tensor; with the XNNPACK delegate it then gives the delegate one operator
at a time instead of whole parts of the graph. That the model's outputs are equal in a plain run is
checked, not assumed. Options, weights and scales are read from the flatbuffer itself.
"""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lastbit import inputs as given
from lastbit.errors import LastbitError

#: The name of a resolver here -> its name in LiteRT.
RESOLVERS = {"xnnpack": "BUILTIN", "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "ref": "BUILTIN_REF"}

#: Operators that the delegate applies to constants before the run.
UNPACKING = ("DEQUANTIZE", "DENSIFY")

#: Types of less than a byte: how many bits, signed or not.
SMALL = {"INT4": (4, True), "INT2": (2, True), "UINT4": (4, False)}


@dataclass
class Tensor:
    """One tensor of the main graph after the run."""
    name: str
    value: object                # an array, or None where LiteRT does not hand it out
    dtype: str                   # as a dump names it
    scale: list
    zero_point: list
    axis: int
    constant: bool


@dataclass
class Operator:
    """One operator: its name in the schema, its options (always there, default values if the file has none)."""
    kind: str
    inputs: list
    outputs: list
    options: object
    delegated: bool


@dataclass
class Run:
    place: str
    version: str
    resolver: str
    tensors: list
    operators: list


def run(model, inputs, resolver):
    """`model`: a path or the bytes of a model."""
    interpreter, schema, version = _frameworks()
    if resolver not in RESOLVERS:
        raise LastbitError(f"resolver {resolver!r} is unknown, expected {', '.join(RESOLVERS)}")
    place = str(model) if isinstance(model, (str, os.PathLike)) else "model"
    content = _content(model, place)
    graph, codes, buffers = _parse(schema, content, place)
    plain = _invoke(interpreter, content, resolver, place, inputs, False)
    shown = _invoke(interpreter, content, resolver, place, inputs, True)
    changed = _different(plain, shown)
    if changed is not None:
        if _different(plain, _invoke(interpreter, content, resolver, place, inputs, False)) is not None:
            raise LastbitError(f"{place}: output {changed!r} differs between two plain runs, expected the same bytes: "
                               "LiteRT leaves part of it unwritten")
        raise LastbitError(f"{place}: output {changed!r} changed when the tensors inside were kept, "
                           "expected the same bytes: this model cannot be dumped")
    delegated = {int(t) for op in shown._get_ops_details() if op["op_name"] == "DELEGATE" for t in op["outputs"]}
    operators = [_operator(schema, codes[o.opcodeIndex], o, delegated) for o in graph.operators]
    written = {t for o in operators for t in o.outputs} | {int(t) for t in graph.inputs}
    tensors = [_tensor(schema, buffers, shown, index, t, index not in written)
               for index, t in enumerate(graph.tensors)]
    for operator in operators:                       # XNNPACK unpacks constants aside: nobody writes the tensor
        if operator.delegated and operator.kind in UNPACKING and all(tensors[t].constant for t in operator.inputs):
            for t in operator.outputs:
                tensors[t].value = None
    return Run(place, version, resolver, tensors, operators)


def _different(one, other):
    """The name of the first output that differs between two runs, or None."""
    for detail in one.get_output_details():
        ours, theirs = (it.get_tensor(detail["index"]) for it in (one, other))
        if ours.dtype != theirs.dtype or ours.shape != theirs.shape or ours.tobytes() != theirs.tobytes():
            return detail["name"]
    return None


def _frameworks():
    try:
        from ai_edge_litert import interpreter, schema_py_generated
    except ImportError as error:
        raise LastbitError("the package ai-edge-litert is not installed, expected: pip install ai-edge-litert "
                           f"flatbuffers ({error})") from None
    import importlib.metadata
    return interpreter, schema_py_generated, importlib.metadata.version("ai-edge-litert")


def _content(model, place):
    if isinstance(model, (bytes, bytearray)):
        return bytes(model)
    try:
        return Path(model).read_bytes()
    except OSError as error:
        raise LastbitError(f"{place}: {error.strerror}") from None


def _parse(schema, content, place):
    if content[4:8] != b"TFL3":
        raise LastbitError(f"{place}: not a TFLite model, expected the mark TFL3 in bytes 4 to 8")
    try:
        top = schema.ModelT.InitFromPackedBuf(content, 0)
        names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
        codes = [_kind(code, names) for code in top.operatorCodes]
        graph = top.subgraphs[0]
        graph.operators = graph.operators if graph.operators is not None else []
        graph.inputs = graph.inputs if graph.inputs is not None else []
    except Exception as error:                       # a damaged flatbuffer fails in a dozen ways
        raise LastbitError(f"{place}: not a TFLite model ({type(error).__name__} while reading it)") from None
    return graph, codes, [_bytes(content, buffer) for buffer in top.buffers]


def _kind(code, names):
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = names.get(builtin, f"BUILTIN_{builtin}")
    return code.customCode.decode("utf-8", "replace") if name == "CUSTOM" and code.customCode else name


def _bytes(content, buffer):
    """Beyond 2 GB the data of a buffer stands after the flatbuffer, at an offset."""
    if buffer.offset > 1:
        return np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
    return None if buffer.data is None or np.size(buffer.data) == 0 else np.asarray(buffer.data, np.uint8)


def _invoke(interpreter, content, resolver, place, inputs, keep):
    kind = getattr(interpreter.OpResolverType, RESOLVERS[resolver])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")          # keeping all tensors is meant for debugging: so is this
            it = interpreter.Interpreter(model_content=content, experimental_op_resolver_type=kind,
                                         experimental_preserve_all_tensors=keep, num_threads=1)
        details = it.get_input_details()
        feeds = given.match(inputs, {d["name"]: (d["dtype"], d["shape_signature"].tolist()) for d in details}, place)
        for detail in details:
            if list(feeds[detail["name"]].shape) != detail["shape"].tolist():
                it.resize_tensor_input(detail["index"], feeds[detail["name"]].shape)
        it.allocate_tensors()
        for detail in details:
            it.set_tensor(detail["index"], feeds[detail["name"]])
        it.invoke()
    except (ValueError, RuntimeError) as error:
        raise LastbitError(f"{place}: LiteRT refuses it: {' '.join(str(error).split())[:300]}") from None
    return it


def _operator(schema, kind, operator, delegated):
    options = operator.builtinOptions if operator.builtinOptions is not None else operator.builtinOptions2
    inputs = [int(t) for t in operator.inputs] if operator.inputs is not None else []
    outputs = [int(t) for t in operator.outputs] if operator.outputs is not None else []
    return Operator(kind, inputs, outputs, options, not delegated.isdisjoint(outputs))


def _tensor(schema, buffers, it, index, tensor, constant):
    types = {value: name for name, value in vars(schema.TensorType).items() if isinstance(value, int)}
    kind = types[tensor.type]
    name = tensor.name.decode("utf-8", "replace") if tensor.name else f"tensor{index}"
    quantization = tensor.quantization
    scale, zero = ([] if quantization is None or values is None else np.asarray(values).tolist()
                   for values in (getattr(quantization, "scale", None), getattr(quantization, "zeroPoint", None)))
    axis = quantization.quantizedDimension if quantization is not None else 0
    if kind in SMALL:
        data, (bits, signed) = buffers[tensor.buffer], SMALL[kind]
        shape = [] if tensor.shape is None else [int(n) for n in tensor.shape]
        value = None if data is None else _unpack(data, shape, bits, signed)
    else:
        try:
            value = np.asarray(it.get_tensor(index))
        except ValueError:                           # no data: never computed, optional, or a resource
            value = None
    if value is not None and value.dtype.hasobject:
        value = None
    return Tensor(name, value, kind.lower(), scale, zero, axis, constant)


def _unpack(data, shape, bits, signed):
    """Dense, the first value in the low bits."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    values = ((data[:, None] >> shifts) & np.uint8((1 << bits) - 1)).reshape(-1)[:int(np.prod(shape))]
    if signed:
        half = np.uint8(1 << (bits - 1))
        return ((values ^ half).astype(np.int8) - half.astype(np.int8)).reshape(shape)
    return values.reshape(shape)
