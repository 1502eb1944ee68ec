"""Makes golden/*.json: outputs, losses, gradients and optimiser steps of PyTorch in double precision.

    pip install torch==2.15.0 numpy==2.4.6 && python make_golden.py

Weights, inputs and targets are rounded to single precision first, so that both sides begin from the same numbers.
`tests/it/golden.rs` reads the files with a relative tolerance of 1e-4 of the largest value of each array.
"""

import json
import pathlib

import numpy as np
import torch
from torch import nn

HERE = pathlib.Path(__file__).parent
SEED = 7


def rounded(t):
    return t.float().double()


def flat(t):
    return [float(f"{v:.9g}") for v in t.detach().reshape(-1).tolist()]


def tensors(named):
    return {name: {"shape": list(t.shape), "values": flat(t)} for name, t in named.items()}


class Net(nn.Module):
    """Layers one on another (sizes may differ), a linear head on the last hidden state."""

    def __init__(self, cell, inputs, hidden, outputs):
        super().__init__()
        kind = nn.LSTM if cell == "lstm" else nn.GRU
        self.layers = nn.ModuleList()
        for h in hidden:
            self.layers.append(kind(inputs, h, 1, batch_first=True))
            inputs = h
        self.head = nn.Linear(inputs, outputs)

    def forward(self, x):
        for layer in self.layers:
            x, _ = layer(x)
        return self.head(x[:, -1])

    def named(self):
        names = {}
        for k, layer in enumerate(self.layers):
            for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                names[f"{part}_l{k}"] = getattr(layer, f"{part}_l0")
        names["head.weight"], names["head.bias"] = self.head.weight, self.head.bias
        return names


def pinball(out, y, quantile):
    e = y - out
    return torch.maximum(quantile * e, (quantile - 1) * e).mean()


def focal(out, y, gamma, smoothing):
    log_p = torch.log_softmax(out, 1)
    label = torch.full_like(log_p, smoothing / out.shape[1])
    label[torch.arange(len(y)), y] += 1 - smoothing
    return -(label * (1 - log_p.exp()) ** gamma * log_p).sum(1).mean()


LOSSES = {
    "mse": lambda o, y, p: nn.functional.mse_loss(o, y),
    "huber": lambda o, y, p: nn.functional.huber_loss(o, y, delta=p["delta"]),
    "pinball": lambda o, y, p: pinball(o, y, p["quantile"]),
    "cross-entropy": lambda o, y, p: nn.functional.cross_entropy(o, y, label_smoothing=p["smoothing"]),
    "focal": lambda o, y, p: focal(o, y, p["gamma"], p["smoothing"]),
}


def make(cell, inputs, hidden, outputs, steps, rows, loss, one_bias=False):
    net = Net(cell, inputs, hidden, outputs).double()
    for name, p in net.named().items():
        p.data = rounded(p.data)
        if one_bias and name.startswith("bias_hh"):
            keep = torch.zeros_like(p.data)
            if cell == "gru":
                keep[2 * len(keep) // 3 :] = 1
            p.data *= keep
            p.register_hook(lambda g, keep=keep: g * keep)
    x = rounded(torch.randn(rows, steps, inputs))
    if loss["kind"] in ("cross-entropy", "focal"):
        y = torch.randint(0, 3, (rows,))
    else:
        y = rounded(torch.randn(rows, outputs))
    return net, x, y


def case(name, cell, inputs, hidden, outputs, steps, rows, loss):
    net, x, y = make(cell, inputs, hidden, outputs, steps, rows, loss)
    before = tensors(net.named())
    out = net(x)
    value = LOSSES[loss["kind"]](out, y, loss)
    value.backward()
    return {
        "name": name, "cell": cell, "inputs": inputs, "hidden": hidden, "outputs": outputs, "steps": steps,
        "rows": rows, "loss": loss, "x": flat(x), "y": y.tolist() if y.dtype == torch.int64 else flat(y),
        "weights": before, "out": flat(out), "lossValue": value.item(),
        "gradients": tensors({k: p.grad for k, p in net.named().items()}),
    }  # fmt: skip


def optimizer_case(name, cell, hidden, kind, decay, clip, n_steps):
    loss = {"kind": "mse"}
    net, x, y = make(cell, 4, hidden, 2, 5, 6, loss, one_bias=True)
    before = tensors(net.named())
    make_optimizer = torch.optim.AdamW if kind == "adamw" else torch.optim.Adam
    optimizer = make_optimizer(net.parameters(), lr=0.01, weight_decay=decay)
    losses = []
    for _ in range(n_steps):
        optimizer.zero_grad()
        value = LOSSES["mse"](net(x), y, loss)
        value.backward()
        losses.append(value.item())
        if clip is not None:
            nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
    return {
        "name": name, "cell": cell, "inputs": 4, "hidden": hidden, "outputs": 2, "steps": 5, "rows": 6,
        "optimizer": kind, "learningRate": 0.01, "weightDecay": decay, "clip": clip, "x": flat(x), "y": flat(y),
        "weights": before, "losses": losses, "weightsAfter": tensors(net.named()),
    }  # fmt: skip


def main():
    torch.manual_seed(SEED)
    mse = {"kind": "mse"}
    networks = [
        case("lstm-1", "lstm", 5, [7], 3, 6, 4, mse),
        case("gru-1", "gru", 5, [7], 3, 6, 4, mse),
        case("lstm-2", "lstm", 3, [9, 9], 2, 5, 5, mse),
        case("gru-2", "gru", 3, [9, 9], 2, 5, 5, mse),
        case("lstm-list", "lstm", 4, [18, 6], 20, 7, 3, mse),
        case("gru-list", "gru", 4, [18, 6], 20, 7, 3, mse),
    ]
    losses = [
        case("huber", "lstm", 2, [4], 3, 3, 9, {"kind": "huber", "delta": 0.7}),
        case("pinball", "gru", 2, [4], 3, 3, 9, {"kind": "pinball", "quantile": 0.3}),
        case("cross-entropy", "lstm", 2, [4], 3, 3, 9, {"kind": "cross-entropy", "smoothing": 0.0}),
        case("smoothed", "gru", 2, [4], 3, 3, 9, {"kind": "cross-entropy", "smoothing": 0.1}),
        case("focal", "lstm", 2, [4], 3, 3, 9, {"kind": "focal", "gamma": 2.5, "smoothing": 0.0}),
        case("focal-smoothed", "gru", 2, [4], 3, 3, 9, {"kind": "focal", "gamma": 2.0, "smoothing": 0.1}),
    ]
    optimizers = [
        optimizer_case("adam", "lstm", [6], "adam", 0.0, None, 8),
        optimizer_case("adam-coupled", "gru", [6], "adam", 0.02, None, 8),
        optimizer_case("adamw", "gru", [5, 4], "adamw", 0.05, None, 8),
        optimizer_case("adamw-clipped", "lstm", [5, 4], "adamw", 0.05, 0.1, 8),
    ]
    made_with = {"torch": torch.__version__, "numpy": np.__version__, "seed": SEED}
    for name, cases in (("networks", networks), ("losses", losses), ("optimizers", optimizers)):
        text = json.dumps({"madeWith": made_with, "cases": cases}, separators=(",", ":"))
        (HERE / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
