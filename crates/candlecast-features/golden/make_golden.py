"""Writes path.csv (a generated price path) and expected.json (reference values on every fourth row of it).

    python -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python make_golden.py

The path is drawn with a fixed seed; no market data goes in. expected.json names the versions that made it.
"""

import json
import pathlib

import numpy as np
import talib

from reference import HOUR_MS, by_numpy, by_talib

SEED = 20240131
N = 400
START_MS = 1_704_067_200_000  # 2024-01-01T00:00Z
FOLDER = pathlib.Path(__file__).parent


def path():
    rng = np.random.default_rng(SEED)
    sigma = 0.008 * np.exp(np.cumsum(rng.normal(0, 0.05, N)))
    close = 2_000 * np.exp(np.cumsum(sigma * rng.standard_t(5, N)))
    opened = np.concatenate([[2_000.0], close[:-1]]) * np.exp(rng.normal(0, 0.0005, N))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, 0.004, N)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, 0.004, N)))
    opened, close, high, low = (np.round(a, 2) for a in (opened, close, high, low))
    high, low = np.maximum(high, np.maximum(opened, close)), np.minimum(low, np.minimum(opened, close))
    volume = np.round(50 * np.exp(rng.normal(0, 0.8, N)), 4)
    return {
        "open_time": START_MS + HOUR_MS * np.arange(N),
        "open": opened,
        "high": high,
        "low": low,
        "close": close,
        "volume": volume,
        "quote_volume": np.round(volume * (opened + close) / 2, 2),
        "trades": np.round(volume * 12) + 1,
        "taker_buy_base": np.round(volume * rng.uniform(0.3, 0.7, N), 4),
    }


def main():
    candles = path()
    with open(FOLDER / "path.csv", "w") as f:
        f.write(",".join(candles) + "\n")
        for row in zip(*candles.values()):
            f.write(",".join(repr(float(x)) if k else str(int(x)) for k, x in enumerate(row)) + "\n")
    rows = list(range(0, N, 4))
    expected = {"numpy": np.__version__, "talib": talib.__version__, "talibC": talib.__ta_version__.decode().split()[0], "seed": SEED, "rows": rows}
    for part, values in (("byTalib", by_talib(candles)), ("byNumpy", by_numpy(candles))):
        expected[part] = {
            name: {"first": int(np.isfinite(v).argmax()), "values": [float(f"{v[t]:.13g}") if np.isfinite(v[t]) else None for t in rows]}
            for name, v in sorted(values.items())
        }
    text = json.dumps(expected, separators=(",", ":")).replace('"first"', '\n"first"')
    (FOLDER / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
