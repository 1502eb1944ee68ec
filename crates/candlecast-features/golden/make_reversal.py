"""Writes reversal.json: the 68 outputs of the set `reversal` on 60 candles of a generated path.

    python -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python make_reversal.py

The path has 3,000 hourly candles with fat tails, some of them flat and some without volume. It is made with whole
numbers and the four operations alone, so that tests/it/reversal.rs makes the same bits and no candle is kept here;
"last" holds the last candle to prove it.
"""

import json
import pathlib

import numpy as np

from reference import HOUR_MS
from reversal import by_reversal

SEED = 20240103
N = 3_000
START_MS = 1_704_265_200_000  # 2024-01-03T07:00Z, not the start of a day
ROWS = range(800, N, 37)
FOLDER = pathlib.Path(__file__).parent


def uniforms(state):
    """Numbers in [0, 1) from the upper 53 bits of Knuth's linear congruential generator."""
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield (state >> 11) / 2**53


def path():
    draw = uniforms(SEED)
    rows = []
    last, usual = 2_000.0, 0.004
    for i in range(N):
        a, b, c, d, e, f = (next(draw) for _ in range(6))
        usual = 0.97 * usual + 0.03 * (0.001 + 0.006 * b)
        side = 2.0 * a - 1.0
        move = usual * side / (1.1 - side * side)
        opened = last * (1.0 + 0.0002 * (c - 0.5))
        close = opened * (1.0 + move)
        high = max(opened, close) * (1.0 + 0.5 * usual * d)
        low = min(opened, close) * (1.0 - 0.5 * usual * e)
        volume = 20.0 + 900.0 * f * f * f * (1.0 + 40.0 * abs(move))
        if 1_497 <= i < 1_504 or i % 101 == 100:
            opened = high = low = close = last
        if 1_497 <= i < 1_504 or i % 53 == 52:
            volume = 0.0
        rows.append((opened, high, low, close, volume))
        last = close
    columns = dict(zip(("open", "high", "low", "close", "volume"), np.array(rows).T))
    return {"open_time": START_MS + HOUR_MS * np.arange(N)} | columns


def main():
    candles = path()
    values = by_reversal(candles)
    assert len(values) == 68
    document = {
        "numpy": np.__version__,
        "seed": SEED,
        "rows": list(ROWS),
        "last": [float(candles[k][-1]) for k in ("open", "high", "low", "close", "volume")],
        "values": {name: [float(f"{v[t]:.13g}") for t in ROWS] for name, v in sorted(values.items())},
    }
    text = json.dumps(document, separators=(",", ":")).replace('],"', '],\n"').replace("{\"close", "{\n\"close")
    (FOLDER / "reversal.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
