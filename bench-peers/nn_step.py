"""Training steps, single inferences and a whole fit of PyTorch on the CPU, for the benches that bench_step measures.

usage: nn_step.py [BENCH,…] [SCALE]

A step is zero_grad, forward, mean squared error, backward and Adam. Each setting runs in a process of its own, as
switching oneDNN or the compiler off and on again leaves traces: eager, fused (Adam), no-onednn, compile, and bf16
(autocast), which is no f32 figure. A setting that fails here is named on standard error and left out. Inference is a
batch of one under inference_mode. The fit is 100 epochs over a year of hourly windows, of the small LSTM with 24
outputs and the norm of the gradient clipped, in the f32 setting whose steps of that LSTM were the quickest. SCALE
multiplies the counts of runs, but the fit is done once. Threads are those of OMP_NUM_THREADS, two without it; the
allocator's thresholds come from the environment (MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_).
"""

import json
import os
import subprocess
import sys

MODES = ("eager", "fused", "no-onednn", "compile", "bf16")
OTHER_PRECISION = "bf16"

# bench -> kind, inputs, hidden sizes, steps, batch, dropout between layers, (warm-up, runs), inference runs
SHAPES = {
    "lstm-5-32-t20-b32": ("lstm", 5, [32], 20, 32, 0.0, (60, 300), 1000),
    "gru-5-32-t20-b32": ("gru", 5, [32], 20, 32, 0.0, (60, 300), 1000),
    "lstm-12-50x30-t24-b32": ("lstm", 12, [50, 30], 24, 32, 0.0, (40, 150), 1000),
    "gru-12-50x30-t24-b32": ("gru", 12, [50, 30], 24, 32, 0.0, (40, 150), 1000),
    "lstm-45-128x128-t60-b64": ("lstm", 45, [128, 128], 60, 64, 0.2, (4, 15), 100),
    "gru-45-128x128-t60-b64": ("gru", 45, [128, 128], 60, 64, 0.2, (4, 15), 100),
    "lstm-45-128x128-t60-b256": ("lstm", 45, [128, 128], 60, 256, 0.2, (2, 7), 60),
    "gru-45-128x128-t60-b256": ("gru", 45, [128, 128], 60, 256, 0.2, (2, 7), 60),
}
FIT = "fit-lstm-100-epochs-8760"
FIT_SHAPE, FIT_EPOCHS, FIT_SAMPLES, FIT_OUTPUTS = "lstm-5-32-t20-b32", 100, 8760, 24


def prepare(mode):
    """PyTorch, set up for `mode`."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    torch.set_num_interop_threads(1)
    # Denormals in saturated gates would slow PyTorch down for no use.
    torch.set_flush_denormal(True)
    torch.backends.mkldnn.enabled = mode != "no-onednn"
    return torch


def network(torch, bench, n_outputs):
    kind, n_inputs, hidden, _, _, dropout, _, _ = SHAPES[bench]
    layer = torch.nn.LSTM if kind == "lstm" else torch.nn.GRU

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            if len(set(hidden)) == 1:
                layers = [layer(n_inputs, hidden[0], len(hidden), batch_first=True, dropout=dropout)]
            else:
                layers = [layer(a, b, 1, batch_first=True) for a, b in zip([n_inputs, *hidden], hidden)]
            self.layers = torch.nn.ModuleList(layers)
            self.head = torch.nn.Linear(hidden[-1], n_outputs)

        def forward(self, x):
            for layer in self.layers:
                x, _ = layer(x)
            return self.head(x[:, -1])

    return Network()


class Trainer:
    """A network, its optimiser and a forward pass in `mode`."""

    def __init__(self, torch, mode, bench, n_outputs):
        self.torch, self.mode = torch, mode
        self.network = network(torch, bench, n_outputs)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=1e-3, fused=mode == "fused")
        self.model = torch.compile(self.network) if mode == "compile" else self.network

    def forward(self, x):
        with self.torch.autocast("cpu", dtype=self.torch.bfloat16, enabled=self.mode == "bf16"):
            return self.model(x).float()

    def step(self, x, y, clip=None):
        self.optimiser.zero_grad(set_to_none=True)
        self.torch.nn.functional.mse_loss(self.forward(x), y).backward()
        if clip is not None:
            self.torch.nn.utils.clip_grad_norm_(self.network.parameters(), clip)
        self.optimiser.step()


def measure(mode, bench, scale):
    from figures import report, times_ms

    torch = prepare(mode)
    _, n_inputs, _, n_steps, batch, _, (warm_up, runs), single_runs = SHAPES[bench]
    trainer = Trainer(torch, mode, bench, 1)
    x, y = torch.randn(batch, n_steps, n_inputs), torch.randn(batch, 1)
    report(f"train-{bench}", mode, times_ms(lambda: trainer.step(x, y), max(3, int(runs * scale)), warm_up))
    trainer.network.eval()
    one = torch.randn(1, n_steps, n_inputs)
    with torch.inference_mode():
        times = times_ms(lambda: trainer.forward(one), max(20, int(single_runs * scale)), 50)
        report(f"infer-{bench}", mode, times)


def measure_fit(mode):
    from figures import report, times_ms

    torch = prepare(mode)
    _, n_inputs, _, n_steps, batch, _, _, _ = SHAPES[FIT_SHAPE]
    x, y = torch.randn(FIT_SAMPLES, n_steps, n_inputs), torch.randn(FIT_SAMPLES, FIT_OUTPUTS)

    def fit():
        trainer = Trainer(torch, mode, FIT_SHAPE, FIT_OUTPUTS)
        for _ in range(FIT_EPOCHS):
            for ids in torch.randperm(FIT_SAMPLES).split(batch):
                trainer.step(x[ids], y[ids], clip=1.0)

    report(FIT, mode, times_ms(fit, 1, warm_up=0), epochs=FIT_EPOCHS, samples=FIT_SAMPLES)


def in_own_process(mode, bench, scale):
    """Passes on what a process of its own prints for `bench` in `mode`; its figures, None if it failed."""
    command = [sys.executable, __file__, "--one", mode, bench, scale]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        # The compiler needs a C++ compiler, which not every machine has; the other settings still count.
        print(f"{bench}: {mode} ended with {done.returncode}", file=sys.stderr)
        return None
    print(done.stdout, end="", flush=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def all_modes(bench, scale):
    """{mode: milliseconds of a training step} of the settings that ran."""
    figures = {mode: in_own_process(mode, bench, scale) for mode in MODES}
    if not any(figures.values()):
        sys.exit(f"{bench}: no setting ran")
    return {mode: found[0]["median_ms"] for mode, found in figures.items() if found}


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "--one":
        mode, bench, scale = sys.argv[2:5]
        return measure_fit(mode) if bench == FIT else measure(mode, bench, float(scale))
    names = [*SHAPES, FIT]
    chosen = [name for name in (sys.argv[1] if len(sys.argv) > 1 else "").split(",") if name] or names
    unknown = [name for name in chosen if name not in names]
    if unknown:
        sys.exit(f"unknown bench {unknown[0]}; there are: {', '.join(names)}")
    scale = sys.argv[2] if len(sys.argv) > 2 else "1"
    step_ms = {bench: all_modes(bench, scale) for bench in chosen if bench != FIT}
    if FIT in chosen:
        of_fit = step_ms.get(FIT_SHAPE) or {"fused": 0.0}
        mode = min((mode for mode in of_fit if mode != OTHER_PRECISION), key=of_fit.get, default="eager")
        if in_own_process(mode, FIT, scale) is None:
            sys.exit(f"{FIT}: {mode} did not run")


if __name__ == "__main__":
    main()
