"""Training steps and single inferences of PyTorch on the CPU, two threads, for the shapes that bench_step measures.

usage: nn_step.py [BENCH,…] [SCALE]

A step is zero_grad, forward, mean squared error, backward and Adam. Each setting runs in a process of its own, as
switching oneDNN or the compiler off and on again leaves traces: eager, fused (Adam), no-onednn, compile, and bf16
(autocast), which is no f32 figure. Inference is a batch of one under inference_mode. SCALE multiplies the counts of
runs. The allocator's thresholds come from the environment (MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_).
"""

import os
import subprocess
import sys

MODES = ("eager", "fused", "no-onednn", "compile", "bf16")

# bench -> kind, inputs, hidden sizes, steps, batch, dropout between layers, (warm-up, runs), inference runs
SHAPES = {
    "lstm-5-32-t20-b32": ("lstm", 5, [32], 20, 32, 0.0, (60, 300), 1000),
    "gru-5-32-t20-b32": ("gru", 5, [32], 20, 32, 0.0, (60, 300), 1000),
    "lstm-12-50x30-t24-b32": ("lstm", 12, [50, 30], 24, 32, 0.0, (40, 150), 1000),
    "lstm-45-128x128-t60-b64": ("lstm", 45, [128, 128], 60, 64, 0.2, (4, 15), 100),
    "gru-45-128x128-t60-b64": ("gru", 45, [128, 128], 60, 64, 0.2, (4, 15), 100),
    "lstm-45-128x128-t60-b256": ("lstm", 45, [128, 128], 60, 256, 0.2, (2, 7), 0),
    "gru-45-128x128-t60-b256": ("gru", 45, [128, 128], 60, 256, 0.2, (2, 7), 0),
}


def measure(mode, bench, scale):
    import torch
    from torch import nn

    from figures import report, times_ms

    kind, n_inputs, hidden, n_steps, batch, dropout, (warm_up, runs), single_runs = SHAPES[bench]
    torch.manual_seed(0)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    torch.set_num_interop_threads(1)
    # Denormals in saturated gates would slow PyTorch down for no use.
    torch.set_flush_denormal(True)
    torch.backends.mkldnn.enabled = mode != "no-onednn"

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            layer = nn.LSTM if kind == "lstm" else nn.GRU
            if len(set(hidden)) == 1:
                self.layers = nn.ModuleList(
                    [layer(n_inputs, hidden[0], len(hidden), batch_first=True, dropout=dropout)]
                )
            else:
                sizes = [n_inputs, *hidden]
                self.layers = nn.ModuleList([layer(a, b, 1, batch_first=True) for a, b in zip(sizes, hidden)])
            self.head = nn.Linear(hidden[-1], 1)

        def forward(self, x):
            for layer in self.layers:
                x, _ = layer(x)
            return self.head(x[:, -1])

    network = Network()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=mode == "fused")
    x, y = torch.randn(batch, n_steps, n_inputs), torch.randn(batch, 1)
    model = torch.compile(network) if mode == "compile" else network

    def forward(inputs):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mode == "bf16"):
            return model(inputs).float()

    def step():
        optimiser.zero_grad(set_to_none=True)
        nn.functional.mse_loss(forward(x), y).backward()
        optimiser.step()

    report(f"train-{bench}", mode, times_ms(step, max(3, int(runs * scale)), warm_up))
    if single_runs:
        network.eval()
        one = torch.randn(1, n_steps, n_inputs)
        with torch.inference_mode():
            report(f"infer-{bench}", mode, times_ms(lambda: forward(one), max(20, int(single_runs * scale)), 50))


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "--one":
        measure(sys.argv[2], sys.argv[3], float(sys.argv[4]))
        return
    chosen = [name for name in (sys.argv[1] if len(sys.argv) > 1 else "").split(",") if name] or list(SHAPES)
    unknown = [name for name in chosen if name not in SHAPES]
    if unknown:
        sys.exit(f"unknown bench {unknown[0]}; there are: {', '.join(SHAPES)}")
    scale = sys.argv[2] if len(sys.argv) > 2 else "1"
    for bench in chosen:
        n_done = 0
        for mode in MODES:
            done = subprocess.run([sys.executable, __file__, "--one", mode, bench, scale], check=False)
            n_done += done.returncode == 0
            if done.returncode != 0:
                # The compiler needs a C++ compiler, which not every machine has; the other settings still count.
                print(f"{bench}: {mode} ended with {done.returncode}", file=sys.stderr)
        if n_done == 0:
            sys.exit(f"{bench}: no setting ran")


if __name__ == "__main__":
    main()
