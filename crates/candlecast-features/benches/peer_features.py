"""Times TA-Lib's C library, called from Python, on the functions that candlecast's features rest on.

    python peer_features.py [CONFIG]      (CONFIG is JSON, a path or - for stdin)

CONFIG may hold `candles` (count, default 1000000), `csv` (a file with open,high,low,close,volume to read in place of
generated candles), `repeats` (default 7), `seed` (default 42) and `features` (ids; default all). Prints JSON:
{"candles", "talib", "numpy", "medianMs": {feature id: ms}, "defaultSetMs": ms of the TA-Lib part of the default set}.
Runs on one thread: TA-Lib has no threads of its own.
"""

import csv
import json
import statistics
import sys
import time

import numpy as np
import talib

# Feature id: the TA-Lib calls that give all its outputs.
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
    "supertrend_10_3": lambda c: talib.SUPERTREND(c["high"], c["low"], c["close"], 10, 3.0),
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

# What of the default set TA-Lib computes: the same functions with the set's parameters.
DEFAULT_SET = [
    lambda c: talib.SMA(c["close"], 10),
    lambda c: talib.SMA(c["close"], 50),
    lambda c: talib.EMA(c["close"], 10),
    lambda c: talib.EMA(c["close"], 20),
    CALLS["rsi_14"],
    CALLS["macd_12_26_9"],
    CALLS["stoch_14_3_3"],
    CALLS["cci_20"],
    CALLS["mfi_14"],
    CALLS["trix_15"],
    CALLS["ultosc_7_14_28"],
    CALLS["adx_14"],
    CALLS["plus_di_14"],
    CALLS["minus_di_14"],
    CALLS["aroon_osc_25"],
    CALLS["natr_14"],
    CALLS["bb_20_2"],
    CALLS["cmf_20"],
]


def generated(n, seed):
    rng = np.random.default_rng(seed)
    close = 30_000 * np.exp(np.cumsum(0.0008 * rng.standard_t(5, n)))
    opened = np.concatenate([[30_000.0], close[:-1]])
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, 0.0004, n)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, 0.0004, n)))
    return {"open": opened, "high": high, "low": low, "close": close, "volume": np.exp(rng.normal(2, 0.8, n))}


def read(path):
    with open(path) as f:
        rows = list(csv.DictReader(f))
    return {k: np.array([float(r[k]) for r in rows]) for k in ("open", "high", "low", "close", "volume")}


def median_ms(run, repeats):
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return round(statistics.median(times), 4)


def main():
    config = {}
    if len(sys.argv) > 1:
        config = json.load(sys.stdin if sys.argv[1] == "-" else open(sys.argv[1]))
    candles = read(config["csv"]) if "csv" in config else generated(config.get("candles", 1_000_000), config.get("seed", 42))
    repeats, wanted = config.get("repeats", 7), config.get("features", list(CALLS))
    medians = {name: median_ms(lambda: CALLS[name](candles), repeats) for name in wanted}
    whole = median_ms(lambda: [call(candles) for call in DEFAULT_SET], repeats)
    versions = {"talib": talib.__version__, "numpy": np.__version__}
    print(json.dumps({"candles": len(candles["close"]), **versions, "medianMs": medians, "defaultSetMs": whole}))


if __name__ == "__main__":
    main()
