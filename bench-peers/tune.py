"""Optuna on the functions of bench_tune, with the same budget.

usage: tune.py [SEEDS] [TRIALS]

For each function and sampler the time of a whole study and, over the seeds, the median of the best values: `best`. The
sampler of interest is TPE over groups of parameters that exist together, as ours is.
"""

import math
import statistics
import sys
import warnings

import optuna

from figures import report, times_ms

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)

HARTMANN_A = [
    [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
    [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
    [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
    [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
]
HARTMANN_C = [1.0, 1.2, 3.0, 3.2]
HARTMANN_P = [
    [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
    [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
    [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
    [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
]
LAYERS = {"[16]": 0.10, "[32]": 0.05, "[32,16]": 0.02, "[50,30]": 0.0}


def branin(trial):
    x, y = trial.suggest_float("x", -5, 10), trial.suggest_float("y", 0, 15)
    bend = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return bend**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def hartmann6(trial):
    x = [trial.suggest_float(f"x{i}", 0, 1) for i in range(6)]
    return -sum(
        c * math.exp(-sum(a * (v - p) ** 2 for a, v, p in zip(row_a, x, row_p)))
        for c, row_a, row_p in zip(HARTMANN_C, HARTMANN_A, HARTMANN_P)
    )


def rastrigin5(trial):
    x = [trial.suggest_float(f"x{i}", -5.12, 5.12) for i in range(5)]
    return 50 + sum(v * v - 10 * math.cos(2 * math.pi * v) for v in x)


def conditional(trial):
    kind = trial.suggest_categorical("kind", ["ridge", "tree", "net"])
    if kind == "ridge":
        return 0.30 + 0.05 * (math.log10(trial.suggest_float("alpha", 1e-4, 1e2, log=True)) - 0.5) ** 2
    if kind == "tree":
        depth, rate = trial.suggest_int("depth", 1, 12), trial.suggest_float("eta", 1e-3, 0.3, log=True)
        return 0.22 + 0.01 * (depth - 6) ** 2 + 0.05 * (math.log10(rate) + 1.3) ** 2
    layers = trial.suggest_categorical("layers", list(LAYERS))
    rate = trial.suggest_float("rate", 1e-5, 1e-1, log=True)
    loss = 0.18 + LAYERS[layers] + 0.06 * (math.log10(rate) + 3) ** 2
    if "," in layers:
        loss += 0.4 * (trial.suggest_float("dropout", 0, 0.5) - 0.2) ** 2
    return loss


def samplers(seed):
    tpe = optuna.samplers.TPESampler(multivariate=True, group=True, seed=seed)
    return {"tpe": tpe, "random": optuna.samplers.RandomSampler(seed=seed)}


def main():
    n_seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    n_trials = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    for function in (branin, hartmann6, rastrigin5, conditional):
        for name in ("tpe", "random"):
            best, times = [], []
            for seed in range(n_seeds):
                study = optuna.create_study(sampler=samplers(seed)[name])
                times += times_ms(lambda: study.optimize(function, n_trials=n_trials), 1, warm_up=0)
                best.append(study.best_value)
            report(f"{function.__name__}-{name}", "", times, best=round(statistics.median(best), 6))


if __name__ == "__main__":
    main()
