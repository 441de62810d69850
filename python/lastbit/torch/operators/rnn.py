"""rnn.py: dynamic LSTM and GRU, one layer and one direction at a time.

PyTorch computes a whole stack in one operator and shows nothing between its layers. The stack is run
again through the same operator, one layer a call, and is only written down like that if the last
outputs are the whole call's, bit for bit.
"""

import torch

from lastbit.torch import packed
from lastbit.torch.call import Layer
from lastbit.torch.operators import operator


@operator("aten::quantized_lstm", "aten::quantized_gru")
def stack(call):
    names = list(call.arguments)
    if "data" in names or not call["params"]:
        return None  # packed sequences
    lstm = call.base == "quantized_lstm"
    params = call["params"]
    cells = [packed.cell(pack) for pack in params]
    if any(cell is None for cell in cells):
        return None  # float16 weights
    hidden = list(call["hx"]) if lstm else [call["hx"]]
    x, batch_first = call.x, call["batch_first"]
    directions = 2 if call["bidirectional"] else 1
    if call["num_layers"] == 1 and directions == 1:
        return [_layer(lstm, x, hidden, cells[0], call.outputs(), batch_first)]
    return _pieces(call, lstm, x, hidden, cells, batch_first, directions)


def _layer(lstm, x, hidden, cell, outputs, batch_first, suffix=""):
    cell = dict(cell)
    attributes = {"reduce_range": cell.pop("reduce_range"), "batch_first": batch_first}
    inputs = {"x": x, **dict(zip("hc", hidden)), **cell}
    return Layer("lstm_dynamic" if lstm else "gru_dynamic", inputs, dict(zip(("y", "h_n", "c_n"), outputs)),
                 attributes, engine=True, onednn=False, suffix=suffix)


def _run(call, lstm, x, hidden, pack, batch_first):
    if lstm:
        return list(torch.ops.aten.quantized_lstm.input(
            x, hidden, [pack], call["has_biases"], 1, 0.0, False, False, batch_first,
            dtype=call["dtype"], use_dynamic=call["use_dynamic"]))
    return list(torch.ops.aten.quantized_gru.input(x, hidden[0], [pack], call["has_biases"], 1, 0.0, False, False, batch_first))


def _pieces(call, lstm, x, hidden, cells, batch_first, directions):
    layers, finals, time = [], [], 1 if batch_first else 0
    for index in range(call["num_layers"]):
        outputs = []
        for direction in range(directions):
            at = index * directions + direction
            suffix = f".l{index}" + ("_reverse" if direction else "")
            states = [state[at:at + 1].clone() for state in hidden]
            for name, whole, part in zip("hc", hidden, states):
                if not call.is_traced(whole):
                    continue  # a state that starts from zeros is cut up by nobody
                layers.append(Layer("slice", {"x": whole}, {"y": part}, {"dim": 0, "start": at, "end": at + 1, "step": 1},
                                    suffix=f"{suffix}.{name}", moves=True))
            source = x
            if direction:
                source = x.flip(time)
                layers.append(Layer("flip", {"x": x}, {"y": source}, {"dims": [time]}, suffix=f"{suffix}.flip", moves=True))
            y, *final = _run(call, lstm, source, states, call["params"][at], batch_first)
            layers.append(_layer(lstm, source, states, cells[at], [y, *final], batch_first, suffix))
            if direction:
                forward = y.flip(time)
                layers.append(Layer("flip", {"x": y}, {"y": forward}, {"dims": [time]}, suffix=f"{suffix}.back", moves=True))
                y = forward
            outputs.append(y)
            finals.append(final)
        last = index == call["num_layers"] - 1
        x = outputs[0]
        if directions == 2:
            x = torch.cat(outputs, 2)
            layers.append(Layer("cat", {f"x{i}": y for i, y in enumerate(outputs)}, {"y": call.outputs()[0] if last else x},
                                {"dim": 2, "activation": "none", "variant": "float"}, suffix=f".l{index}.cat"))
        elif last:  # the last layer's y is the whole call's
            layers[-1].outputs["y"] = call.outputs()[0]
    if not torch.equal(x, call.outputs()[0]):
        return None
    for name, whole, parts in zip("hc", call.outputs()[1:], zip(*finals)):
        if not torch.equal(torch.cat(parts), whole):
            return None
        layers.append(Layer("cat", {f"x{i}": part for i, part in enumerate(parts)}, {"y": whole},
                            {"dim": 0, "activation": "none", "variant": "float"}, suffix=f".{name}_n"))
    return layers


@operator("quantized::quantized_lstm_cell_dynamic", "quantized::quantized_gru_cell_dynamic")
def cell(call):
    """One step: x and y are given the time axis that the operator of a dump has."""
    lstm = "lstm" in call.base
    hidden = list(call["hx"]) if lstm else [call["hx"]]
    outputs = call.outputs()
    x, y = call["input"].unsqueeze(0), outputs[0].unsqueeze(0)
    parameters = {**packed.cell_weights(call["w_ih"], call["w_hh"]), "reduce_range": True}
    run = _layer(lstm, x, hidden, parameters, [y], False)
    if lstm:
        run.outputs["c_n"] = outputs[1]
    return [Layer("reshape", {"x": call["input"]}, {"y": x}, {"shape": list(x.shape)}, suffix=".x", moves=True), run,
            Layer("reshape", {"x": y}, {"y": outputs[0]}, {"shape": list(outputs[0].shape)}, suffix=".y", moves=True)]
