"""Makes luck.json: block lengths and model confidence sets as the arch package computes them.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r requirements.txt
    /tmp/peers/bin/python luck.py

Made with arch 8.0.0 and numpy 2.4.6. Series are made by a congruential generator, the same here and in the tests, so
that none has to be kept: sums of twelve uniform numbers less 6, put through a recursion or summed over neighbours.
The resamples of the confidence sets are those that arch drew from seed 20261201, as runs of values in a row.
"""

import json
import pathlib

import numpy as np
from arch.bootstrap import MCS, optimal_block_length

HERE = pathlib.Path(__file__).parent
MASK = (1 << 64) - 1


class Noise:
    """Knuth's MMIX generator; the top 53 bits make a number in [0, 1)."""

    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) & MASK
        return (self.state >> 11) / (1 << 53)

    def normal(self):
        total = 0.0
        for _ in range(12):
            total += self.uniform()
        return total - 6.0


def series(kind, parameter, n, seed):
    noise = Noise(seed)
    if kind == "recursion":
        values, value = [], 0.0
        for _ in range(n):
            value = parameter * value + noise.normal()
            values.append(value)
        return np.array(values)
    shocks = [noise.normal() for _ in range(n + int(parameter))]
    values = []
    for i in range(n):
        total = 0.0
        for shock in shocks[i : i + int(parameter)]:
            total += shock
        values.append(total)
    return np.array(values)


def block_lengths():
    cases = []
    kinds = [("recursion", 0.0), ("recursion", 0.5), ("recursion", -0.6), ("recursion", 0.95), ("recursion", 1.0),
             ("overlap", 5), ("overlap", 24)]
    for number, (kind, parameter) in enumerate(kinds):
        for n in [12, 60, 365, 2160]:
            seed = 1000 * number + n
            found = optimal_block_length(series(kind, parameter, n, seed)).iloc[0]
            cases.append({"kind": kind, "parameter": parameter, "n": n, "seed": seed,
                          "stationary": float(found["stationary"]), "circular": float(found["circular"])})
    return cases


def losses(n, edges, seed):
    """Losses of models that share the market, in units of its noise; one a column."""
    market = series("overlap", 3, n, seed)
    own = [series("overlap", 3, n, seed + 1 + k) for k in range(len(edges))]
    return np.column_stack([2.0 * market + mine - edge for mine, edge in zip(own, edges)])


def runs(indices, n):
    """Indices as [start, length] of those that follow each other, behind the last one the first."""
    found = []
    for i in indices.tolist():
        if found and (found[-1][0] + found[-1][1]) % n == i and found[-1][1] < n:
            found[-1][1] += 1
        else:
            found.append([i, 1])
    return found


def confidence_sets():
    cases = []
    designs = [(120, [0.0, 0.9, 0.8, 0.3, 1.0]), (80, [0.0, 0.0, 0.0]), (100, [0.2, 0.6])]
    for number, (n, edges) in enumerate(designs):
        table = losses(n, edges, 50_000 + 100 * number)
        case = {"n": n, "edges": edges, "seed": 50_000 + 100 * number}
        for method, name in [("R", "range"), ("max", "max")]:
            mcs = MCS(table, size=0.1, reps=100, block_size=6, method=method, seed=20261201)
            mcs.compute()
            p = mcs.pvalues["Pvalue"]
            case[name] = [float(p[k]) for k in range(len(edges))]
            drawn = [runs(indices, n) for indices in mcs._bootstrap_indices]
            assert case.setdefault("resamples", drawn) == drawn
        cases.append(case)
    return cases


def main():
    found = {"blockLengths": block_lengths(), "confidenceSets": confidence_sets()}
    text = json.dumps(found, separators=(",", ":"))
    text = text.replace('{"kind"', '\n{"kind"').replace('{"n"', '\n{"n"')
    (HERE / "luck.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
