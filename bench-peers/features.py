"""TA-Lib's C library, called from Python, on the functions and the default set that bench_features measures.

usage: features.py FOLDER [RUNS]

FOLDER is what bench_features wrote: candles.f64 and head.f64 (little-endian f64, one column after the other) and
features.json, which names their columns. Each function is called on whole columns, on one thread, as TA-Lib has
none of its own. The default set is all of its 45 columns, by TA-Lib where it has the rolling part and NumPy for the
rest, on one thread and on two. Before anything is timed every output is compared with the leading rows that
candlecast computed: the two sides do the same work, or the script fails.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import talib

from figures import report, times_ms

DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS
# Both sides sum rolling windows in their own order, and TA-Lib's sums run on for ever.
TOLERANCE = 1e-5

# Feature id: the TA-Lib call that gives all its outputs, in candlecast's order.
CALLS = {
    "mom_10": lambda c: talib.MOM(c["close"], 10),
    "roc_10": lambda c: talib.ROC(c["close"], 10),
    "sma_20": lambda c: talib.SMA(c["close"], 20),
    "ema_20": lambda c: talib.EMA(c["close"], 20),
    "wma_20": lambda c: talib.WMA(c["close"], 20),
    "dema_20": lambda c: talib.DEMA(c["close"], 20),
    "tema_20": lambda c: talib.TEMA(c["close"], 20),
    "hma_20": lambda c: talib.HMA(c["close"], 20),
    "kama_10": lambda c: talib.KAMA(c["close"], 10),
    "rsi_14": lambda c: talib.RSI(c["close"], 14),
    "macd_12_26_9": lambda c: talib.MACD(c["close"], 12, 26, 9),
    "stoch_14_3_3": lambda c: talib.STOCH(c["high"], c["low"], c["close"], 14, 3, 0, 3, 0),
    "stoch_rsi_14_14_3": lambda c: talib.STOCHRSI(c["close"], 14, 14, 3, 0),
    "willr_14": lambda c: talib.WILLR(c["high"], c["low"], c["close"], 14),
    "cci_20": lambda c: talib.CCI(c["high"], c["low"], c["close"], 20),
    "trix_15": lambda c: talib.TRIX(c["close"], 15),
    "ultosc_7_14_28": lambda c: talib.ULTOSC(c["high"], c["low"], c["close"], 7, 14, 28),
    "ao_5_34": lambda c: talib.AO(c["high"], c["low"], 5, 34),
    "mfi_14": lambda c: talib.MFI(c["high"], c["low"], c["close"], c["volume"], 14),
    "cmo_14": lambda c: talib.CMO(c["close"], 14),
    "ppo_12_26": lambda c: talib.PPO(c["close"], 12, 26, 1),
    "bop": lambda c: talib.BOP(c["open"], c["high"], c["low"], c["close"]),
    "adx_14": lambda c: talib.ADX(c["high"], c["low"], c["close"], 14),
    "plus_di_14": lambda c: talib.PLUS_DI(c["high"], c["low"], c["close"], 14),
    "minus_di_14": lambda c: talib.MINUS_DI(c["high"], c["low"], c["close"], 14),
    "aroon_25": lambda c: talib.AROON(c["high"], c["low"], 25),
    "aroon_osc_25": lambda c: talib.AROONOSC(c["high"], c["low"], 25),
    "sar_2_20": lambda c: talib.SAR(c["high"], c["low"], 0.02, 0.2),
    # The second array is the direction, which candlecast has as a feature of its own.
    "supertrend_10_3": lambda c: talib.SUPERTREND(c["high"], c["low"], c["close"], 10, 3.0)[:1],
    "linreg_slope_20": lambda c: talib.LINEARREG_SLOPE(c["close"], 20),
    "vortex_14": lambda c: talib.VORTEX(c["high"], c["low"], c["close"], 14),
    "er_10": lambda c: talib.ER(c["close"], 10),
    "atr_14": lambda c: talib.ATR(c["high"], c["low"], c["close"], 14),
    "natr_14": lambda c: talib.NATR(c["high"], c["low"], c["close"], 14),
    "bb_20_2": lambda c: talib.BBANDS(c["close"], 20, 2.0, 2.0, 0),
    "keltner_20_10_2": lambda c: talib.KC(c["high"], c["low"], c["close"], 20, 10, 2.0),
    "donchian_20": lambda c: talib.DONCHIAN(c["high"], c["low"], 20),
    "obv": lambda c: talib.OBV(c["close"], c["volume"]),
    "ad": lambda c: talib.AD(c["high"], c["low"], c["close"], c["volume"]),
    "adosc_3_10": lambda c: talib.ADOSC(c["high"], c["low"], c["close"], c["volume"], 3, 10),
    "cmf_20": lambda c: talib.CMF(c["high"], c["low"], c["close"], c["volume"], 20),
    "force_index_13": lambda c: talib.EFI(c["close"], c["volume"], 13),
}


def shift(x, n):
    """x[t-n], NaN before."""
    out = np.empty_like(x)
    out[:n], out[n:] = np.nan, x[:-n]
    return out


def returns(c):
    log = np.log(c["close"])
    r = log - shift(log, 1)
    rms = np.sqrt(talib.SMA(r * r, 24))
    return {
        "log_return_1": r,
        "log_return_4": log - shift(log, 4),
        "log_return_12": log - shift(log, 12),
        "log_return_24": log - shift(log, 24),
        "trend_strength_24": talib.SUM(r, 24) / (rms * np.sqrt(24)),
        "realized_vol_24": rms * np.sqrt(c["per_year"]),
        "vol_of_vol_24": talib.STDDEV(rms, 24, 1) / talib.SMA(rms, 24),
        "autocorr_1_48": talib.CORREL(shift(r, 1), r, 48),
        "price_volume_corr_24": talib.CORREL(r, c["volume"], 24),
    }


def shapes(c):
    o, h, l, x = c["open"], c["high"], c["low"], c["close"]
    top, bottom = np.maximum(o, x), np.minimum(o, x)
    body, size = np.log(x / o), np.log(h / l)
    spread = size * size
    beta = spread + shift(spread, 1)
    gamma = np.log(np.maximum(h, shift(h, 1)) / np.minimum(l, shift(l, 1))) ** 2
    d = 3 - 2 * np.sqrt(2)
    grown = np.exp((np.sqrt(2 * beta) - np.sqrt(beta)) / d - np.sqrt(gamma / d))
    variance = talib.SMA(spread / 2 - (2 * np.log(2) - 1) * body * body, 24)
    return {
        "body_log": body,
        "upper_wick_log": np.log(h / top),
        "lower_wick_log": np.log(bottom / l),
        "range_log": size,
        "distance_high_24": np.log(x / talib.MAX(h, 24)),
        "distance_low_24": np.log(x / talib.MIN(l, 24)),
        "garman_klass_24": np.sqrt(variance * c["per_year"]),
        "corwin_schultz_24": talib.SMA(np.maximum(2 * (grown - 1) / (1 + grown), 0), 24),
    }


def averages(c):
    x = c["close"]
    line, _, hist = talib.MACD(x, 12, 26, 9)
    up, middle, down = talib.BBANDS(x, 20, 2.0, 2.0, 0)
    slope = talib.LINEARREG_SLOPE(x, 20)
    return {
        "sma_ratio_10": x / talib.SMA(x, 10) - 1,
        "sma_ratio_50": x / talib.SMA(x, 50) - 1,
        "ema_ratio_10": x / talib.EMA(x, 10) - 1,
        "ema_ratio_20": x / talib.EMA(x, 20) - 1,
        "ma_cross_20_50": np.sign(talib.SMA(x, 20) - talib.SMA(x, 50)),
        "rsi_14": talib.RSI(x, 14),
        "macd_line_ratio_12_26_9": line / x,
        "macd_hist_ratio_12_26_9": hist / x,
        "trix_15": talib.TRIX(x, 15),
        "linreg_r2_20": slope * slope * ((20**2 - 1) / 12) / talib.VAR(x, 20, 1),
        "bb_width_20_2": (up - down) / middle,
        "bb_pct_b_20_2": (x - down) / (up - down),
    }


def oscillators(c):
    h, l, x = c["high"], c["low"], c["close"]
    k, d = talib.STOCH(h, l, x, 14, 3, 0, 3, 0)
    return {
        "stoch_k_14_3_3": k,
        "stoch_d_14_3_3": d,
        "cci_20": talib.CCI(h, l, x, 20),
        "ultosc_7_14_28": talib.ULTOSC(h, l, x, 7, 14, 28),
        "adx_14": talib.ADX(h, l, x, 14),
        "plus_di_14": talib.PLUS_DI(h, l, x, 14),
        "minus_di_14": talib.MINUS_DI(h, l, x, 14),
        "aroon_osc_25": talib.AROONOSC(h, l, 25),
        "natr_14": talib.NATR(h, l, x, 14),
    }


def volumes(c):
    h, l, x, v = c["high"], c["low"], c["close"], c["volume"]
    signed = v * np.sign(x - shift(x, 1))
    angle = (2 * np.pi / DAY_MS) * ((c["open_time"] + c["interval_ms"]) % DAY_MS)
    return {
        "vwap_ratio_24": x / talib.VWMA((h + l + x) / 3, v, 24) - 1,
        "mfi_14": talib.MFI(h, l, x, v, 14),
        "volume_ratio_20": v / talib.SMA(v, 20),
        "obv_flow_20": talib.SUM(signed, 20) / talib.SUM(v, 20),
        "cmf_20": talib.CMF(h, l, x, v, 20),
        "hour_sin": np.sin(angle),
        "hour_cos": np.cos(angle),
    }


FAMILIES = (returns, shapes, averages, oscillators, volumes)


def default_set(candles):
    return {name: column for family in FAMILIES for name, column in family(candles).items()}


def default_set_by_two(candles, pool):
    parts = pool.map(lambda family: family(candles), FAMILIES)
    return {name: column for part in parts for name, column in part.items()}


def read_columns(path, names, rows):
    table = np.fromfile(path, dtype="<f8")
    if table.size != rows * len(names):
        sys.exit(f"{path} holds {table.size} numbers, features.json says {len(names)} columns of {rows}")
    return {name: table[k * rows : (k + 1) * rows].copy() for k, name in enumerate(names)}


def check(name, ours, theirs):
    """Ends the script unless both sides have the same values in the leading rows."""
    theirs = np.asarray(theirs[: len(ours)], float)
    if (np.isfinite(ours) != np.isfinite(theirs)).any():
        sys.exit(f"{name}: missing in other rows than candlecast's")
    both = np.isfinite(ours)
    scale = np.maximum(np.abs(ours[both]), 1e-3 * np.abs(ours[both]).max(initial=0.0) + 1e-300)
    difference = (np.abs(ours - theirs)[both] / scale).max(initial=0.0)
    if not both.any() or difference > TOLERANCE:
        sys.exit(f"{name}: differs from candlecast's by {difference:.1e} relative, in {both.sum()} rows")


def main():
    folder, runs = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 7
    names = json.loads((folder / "features.json").read_text())
    candles = read_columns(folder / "candles.f64", names["candles"], names["rows"])
    candles |= {"interval_ms": names["intervalMs"], "per_year": YEAR_MS / names["intervalMs"]}
    head = read_columns(folder / "head.f64", names["head"], names["headRows"])
    functions = names["names"]["functions"]
    if set(functions) != set(CALLS):
        sys.exit(f"one side only: {', '.join(sorted(set(functions) ^ set(CALLS)))}")
    for feature, outputs in functions.items():
        values = CALLS[feature](candles)
        columns = values if isinstance(values, (tuple, list)) else [values]
        for output, column in zip(outputs, columns, strict=True):
            check(output, head[output], column)
    computed = default_set(candles)
    if set(computed) != set(names["names"]["default"]):
        sys.exit(f"default set, one side only: {', '.join(sorted(set(computed) ^ set(names['names']['default'])))}")
    for output, column in computed.items():
        check(output, head[output], column)
    del computed

    for feature in functions:
        report(feature, "", times_ms(lambda: CALLS[feature](candles), runs))
    report("default-set", "1 thread", times_ms(lambda: default_set(candles), runs))
    with ThreadPoolExecutor(2) as pool:
        report("default-set", "2 threads", times_ms(lambda: default_set_by_two(candles, pool), runs))


if __name__ == "__main__":
    main()
