"""Compares candlecast's features on real candles with TA-Lib and NumPy.

    python check_real.py CANDLES FEATURES [--max-fill N]

CANDLES is a CSV (or .csv.gz) with header open_time,open,high,low,close,volume[,quote_volume,trades,taker_buy_base].
FEATURES is what candlecast computed over them: a CSV with open_time and one column an output id, or the JSON of
`candlecast features compute --json` ({"openTime": [...], "names": [...], "columns": [[...], ...]}; null is missing).
Segments are made as candlecast makes them: gaps of up to --max-fill candles are filled flat, longer ones divide.
Prints one JSON line; exits 1 when an output differs by more than 1e-8 (TA-Lib) or 1e-9 (NumPy) relative, or when
a value is missing on one side of a candle whose window trades.
"""

import argparse
import csv
import gzip
import json
import sys
import warnings

import numpy as np

from reference import HOUR_MS, by_numpy, by_talib

OPTIONAL = ("quote_volume", "trades", "taker_buy_base")


def read_candles(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt") as f:
        rows = list(csv.DictReader(f))
    columns = {k: np.array([float(r[k]) for r in rows]) for k in rows[0] if k != "open_time"}
    return {"open_time": np.array([int(r["open_time"]) for r in rows])} | columns


def read_features(path):
    if path.endswith(".json"):
        with open(path) as f:
            table = json.load(f)
        values = {n: np.array([np.nan if x is None else x for x in c], float) for n, c in zip(table["names"], table["columns"])}
        return np.array(table["openTime"]), values
    with open(path) as f:
        rows = list(csv.DictReader(f))
    values = {k: np.array([float(r[k]) if r[k] else np.nan for r in rows]) for k in rows[0] if k != "open_time"}
    return np.array([int(r["open_time"]) for r in rows]), values


def segments(candles, max_fill):
    time = candles["open_time"]
    missing = np.diff(time) // HOUR_MS - 1
    for rows in np.split(np.arange(len(time)), np.nonzero(missing > max_fill)[0] + 1):
        part = {k: v[rows] for k, v in candles.items()}
        yield fill(part)


def fill(part):
    grid = np.arange(part["open_time"][0], part["open_time"][-1] + 1, HOUR_MS)
    source = np.searchsorted(part["open_time"], grid, side="right") - 1
    filled = part["open_time"][source] != grid
    out = {k: v[source].copy() for k, v in part.items()}
    out["open_time"] = grid
    for k in ("open", "high", "low"):
        out[k][filled] = out["close"][filled]
    for k in ("volume", *OPTIONAL):
        if k in out:
            out[k][filled] = 0.0
    return out


def compare(want, got, trading, tolerance):
    """Greatest relative difference, and rows where only one side has a value."""
    both = np.isfinite(want) & np.isfinite(got)
    size = np.abs(want[both]).max(initial=0.0)
    difference = np.abs(want - got)[both] / np.maximum(np.maximum(np.abs(want), np.abs(got))[both], 1e-4 * size + 1e-300)
    one_sided = (np.isfinite(want) != np.isfinite(got)) & trading
    return float(difference.max(initial=0.0)), int(one_sided.sum()), bool((difference > tolerance).any())


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("candles")
    arguments.add_argument("features")
    arguments.add_argument("--max-fill", type=int, default=3)
    options = arguments.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)
    candles = read_candles(options.candles)
    time, features = read_features(options.features)
    worst, failed = {}, []
    for part in segments(candles, options.max_fill):
        if len(part["open_time"]) < 2:
            continue
        at = np.searchsorted(time, part["open_time"])
        if (at >= len(time)).any() or (time[at] != part["open_time"]).any():
            sys.exit("the features do not cover the candles: was --max-fill the same?")
        # Where candles of the last 240 hours stand still, references divide nothing by nothing in their own ways.
        still = (part["high"] == part["low"]) | (part["volume"] == 0)
        trading = np.convolve(still, np.ones(240), "full")[: len(still)] == 0
        for reference, tolerance in ((by_talib, 1e-8), (by_numpy, 1e-9)):
            for name, want in reference(part).items():
                if name not in features:
                    continue
                difference, one_sided, differs = compare(want, features[name][at], trading, tolerance)
                worst[name] = max(worst.get(name, 0.0), difference)
                if differs or one_sided:
                    failed.append({"output": name, "from": int(part["open_time"][0]), "difference": difference, "oneSided": one_sided})
    print(json.dumps({"outputs": len(worst), "worst": dict(sorted(worst.items(), key=lambda kv: -kv[1])[:10]), "failed": failed}))
    sys.exit(1 if failed or not worst else 0)


if __name__ == "__main__":
    main()
