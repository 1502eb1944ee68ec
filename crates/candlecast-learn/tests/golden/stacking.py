"""Makes stacking.json: weights of members of an ensemble as SciPy's SLSQP finds them.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r requirements.txt
    /tmp/peers/bin/python stacking.py

Made with scipy 1.17.1 and numpy 2.4.6 from seed 20260601. A case has the mean products S of the errors of m members, a
number n of independent outcomes and prior weights p. The weights minimise

    n w'Sw / (p'Sp) + |w - p|^2 / v        v = (m - 1) / (m^2 (m + 1))

with w >= 0 and sum w = 1. SLSQP tells which of them are 0; the others then solve linear equations, and the first-order
conditions of the whole are checked.
"""

import json
import pathlib

import numpy as np
from scipy.optimize import minimize


def solve(s, n, p):
    m = len(p)
    v = (m - 1) / (m * m * (m + 1))
    q = n * s / (p @ s @ p)
    # Common errors cancel between weights that sum to 1; without them the problem is well scaled.
    centre = np.eye(m) - 1 / m
    d, b = centre @ q @ centre, centre @ q @ np.full(m, 1 / m)
    scale = np.trace(d) + m / v

    def cost(w):
        return (w @ d @ w + 2 * b @ w + ((w - p) ** 2).sum() / v) / scale

    def slope(w):
        return (2 * d @ w + 2 * b + 2 * (w - p) / v) / scale

    found = minimize(
        cost,
        p,
        jac=slope,
        method="SLSQP",
        bounds=[(0, 1)] * m,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(m)},
        options={"ftol": 1e-18, "maxiter": 10_000},
    )
    w = np.clip(found.x, 0, None)
    w /= w.sum()
    # The solution on its support is that of linear equations.
    support = w > 1e-5
    k = support.sum()
    a = np.zeros((k + 1, k + 1))
    a[:k, :k] = (2 * d + 2 * np.eye(m) / v)[np.ix_(support, support)]
    a[:k, k] = a[k, :k] = 1
    exact = np.linalg.solve(a, np.append((2 * p / v - 2 * b)[support], 1))
    refined = np.zeros(m)
    refined[support] = exact[:k]
    assert np.abs(refined - w).max() < 1e-4 and refined.min() >= 0, (refined, w)
    g = slope(refined) * scale
    assert g[support].max() - g[support].min() < 1e-6 * scale and g.min() >= g[support].min() - 1e-6 * scale
    return refined


def main():
    rng = np.random.default_rng(20260601)
    cases = []
    for m, n in [(2, 50.0), (3, 300.0), (4, 20.0), (4, 2_000.0), (4, 100_000.0), (6, 5_000.0)]:
        errors = rng.normal(size=(400, 1)) + 0.25 * rng.normal(size=(400, m)) * rng.uniform(0.5, 1.5, size=m)
        s = errors.T @ errors / len(errors)
        p = np.full(m, 1 / m) if m != 4 else np.array([0.4, 0.3, 0.2, 0.1])
        cases.append({"second": s.ravel().tolist(), "n": n, "prior": p.tolist(), "weights": solve(s, n, p).tolist()})
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps({"cases": cases}, indent=1) + "\n")


main()
