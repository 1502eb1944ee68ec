"""Compares candlecast's features on real hourly candles with TA-Lib and NumPy.

    python check_real.py CANDLES FEATURES [--max-fill N]

CANDLES is a CSV (or .csv.gz) with header open_time,open,high,low,close,volume[,quote_volume,trades,taker_buy_base].
FEATURES is what candlecast computed over all of them: the .csv or .parquet of `candlecast features compute --output`
(open_time and one column an output id), or the .json of `candlecast --json features compute`:
{"features": [ids], "rows": [{"openTime": "2017-08-17T04:00:00Z", "values": [number or null]}]}.
Segments are made as candlecast makes them: gaps of up to --max-fill candles are filled flat, longer ones divide.

A relative difference is taken at the larger of the two values, but at no less than 1e-4 of the output's greatest
value: near a zero crossing the rounding of the terms counts, not that of their difference. Prints what was compared,
the greatest difference of every output, and a line for each failure; exits 1 when an output differs by more than
1e-8 (TA-Lib) or 1e-9 (NumPy), when a value is missing on one side of a candle whose window trades, when an output
that a reference has was not compared on a single candle, or when an output has values but no reference. Outputs
that need a column which CANDLES lacks have neither.
"""

import argparse
import csv
import gzip
import json
import sys
import warnings

import numpy as np
import talib

from reference import HOUR_MS, by_numpy, by_talib
from reversal import by_reversal

OPTIONAL = ("quote_volume", "trades", "taker_buy_base")


def read_candles(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt") as f:
        rows = list(csv.DictReader(f))
    columns = {k: np.array([float(r[k]) for r in rows]) for k in rows[0] if k != "open_time"}
    return {"open_time": np.array([int(r["open_time"]) for r in rows])} | columns


def read_features(path):
    """Open times in ms, and {output id: values} with NaN for missing."""
    if path.endswith(".json"):
        return read_json(path)
    if path.endswith(".parquet"):
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(path)
        time = table["open_time"].to_numpy().astype("datetime64[ms]").astype(np.int64)
        return time, {k: table[k].to_numpy() for k in table.column_names if k != "open_time"}
    with open(path) as f:
        rows = list(csv.DictReader(f))
    values = {k: np.array([float(r[k]) if r[k] else np.nan for r in rows]) for k in rows[0] if k != "open_time"}
    return np.array([int(r["open_time"]) for r in rows]), values


def read_json(path):
    with open(path) as f:
        document = json.load(f)
    names, rows = document["features"], document["rows"]
    table = np.array([row["values"] for row in rows], float)
    if table.shape != (len(rows), len(names)):
        sys.exit(f"{path}: {len(names)} features, but rows of shape {table.shape}")
    time = np.array([row["openTime"].removesuffix("Z") for row in rows], "datetime64[ms]").astype(np.int64)
    return time, dict(zip(names, table.T))


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


def compare(want, got, trading):
    """Relative differences where both sides have a value, and the number of rows where only one side has."""
    both = np.isfinite(want) & np.isfinite(got)
    size = np.abs(want[both]).max(initial=0.0)
    scale = np.maximum(np.maximum(np.abs(want), np.abs(got))[both], 1e-4 * size + 1e-300)
    one_sided = (np.isfinite(want) != np.isfinite(got)) & trading
    return np.abs(want - got)[both] / scale, int(one_sided.sum())


def own_formulas(part):
    return by_reversal(part) | by_numpy(part)


class Tally:
    """What was compared of one output, over all segments."""

    def __init__(self, reference, tolerance):
        self.reference, self.tolerance = reference, tolerance
        self.n_values = self.n_beyond = self.n_one_sided = 0
        self.greatest = 0.0

    def add(self, difference, one_sided):
        self.n_values += len(difference)
        self.n_beyond += int((difference > self.tolerance).sum())
        self.n_one_sided += one_sided
        self.greatest = max(self.greatest, float(difference.max(initial=0.0)))

    def failure(self):
        if self.n_values == 0:
            return "no value to compare"
        if self.n_beyond or self.n_one_sided:
            return f"{self.n_beyond} values beyond {self.tolerance:g}, {self.n_one_sided} missing on one side"
        return None


def tallies(candles, time, features, max_fill):
    """{output id: Tally} of every output that a reference has."""
    found = {}
    for part in segments(candles, max_fill):
        if len(part["open_time"]) < 2:
            continue
        at = np.searchsorted(time, part["open_time"])
        if (at >= len(time)).any() or (time[at] != part["open_time"]).any():
            sys.exit("the features do not cover the candles: was --max-fill the same?")
        # Where candles of the last 240 hours stand still, references divide nothing by nothing in their own ways.
        still = (part["high"] == part["low"]) | (part["volume"] == 0)
        trading = np.convolve(still, np.ones(240), "full")[: len(still)] == 0
        for label, reference, tolerance in (("TA-Lib", by_talib, 1e-8), ("NumPy", own_formulas, 1e-9)):
            for name, want in reference(part).items():
                if name in features:
                    tally = found.setdefault(name, Tally(label, tolerance))
                    tally.add(*compare(want, features[name][at], trading))
    return found


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("candles")
    arguments.add_argument("features")
    arguments.add_argument("--max-fill", type=int, default=3)
    options = arguments.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)
    time, features = read_features(options.features)
    found = tallies(read_candles(options.candles), time, features, options.max_fill)
    failed = {name: tally.failure() for name, tally in found.items() if tally.failure()}
    others = [name for name in features if name not in found]
    failed |= {name: "values without a reference" for name in others if np.isfinite(features[name]).any()}
    n_talib = sum(tally.reference == "TA-Lib" for tally in found.values())
    n_values = sum(tally.n_values for tally in found.values())
    print(f"{len(features)} outputs over {len(time)} candles: {n_talib} beside TA-Lib {talib.__version__} (1e-8), "
          f"{len(found) - n_talib} beside NumPy {np.__version__} (1e-9); {n_values} values compared")
    if others:
        print(f"without a value, as the candles lack their columns: {', '.join(others)}")
    print("greatest relative differences:")
    for name, tally in sorted(found.items(), key=lambda item: -item[1].greatest)[:20]:
        print(f"  {name:32} {tally.greatest:.1e}  {tally.reference}")
    for name, reason in failed.items():
        print(f"FAILED {name}: {reason}")
    print("all within tolerance" if found and not failed else f"{len(failed)} outputs failed")
    sys.exit(1 if failed or not found else 0)


if __name__ == "__main__":
    main()
