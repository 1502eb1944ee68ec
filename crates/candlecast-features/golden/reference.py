"""Reference values of every listed feature: TA-Lib's C library where it has the function, plain NumPy otherwise.

Nothing here is shared with the Rust code: windows are recomputed for every candle, in two passes.
"""

import numpy as np
import talib
from numpy.lib.stride_tricks import sliding_window_view

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PER_YEAR = 365 * 24.0


def shift(x, n):
    """x[t-n], NaN before."""
    out = np.full(len(x), np.nan)
    out[n:] = x[:-n]
    return out


def windows(x, n, f):
    """f over the newest n values, NaN while there are fewer or one is NaN."""
    out = np.full(len(x), np.nan)
    if len(x) >= n:
        out[n - 1 :] = f(sliding_window_view(x, n))
    return out


def total(x, n):
    return windows(x, n, lambda w: w.sum(axis=1))


def mean(x, n):
    return windows(x, n, lambda w: w.mean(axis=1))


def spread(x, n, ddof=0):
    return windows(x, n, lambda w: w.std(axis=1, ddof=ddof))


def highest(x, n):
    return windows(x, n, lambda w: w.max(axis=1))


def lowest(x, n):
    return windows(x, n, lambda w: w.min(axis=1))


def covariance(x, y, n):
    out = np.full(len(x), np.nan)
    for t in range(n - 1, len(x)):
        a, b = x[t - n + 1 : t + 1], y[t - n + 1 : t + 1]
        out[t] = np.mean((a - a.mean()) * (b - b.mean()))
    return out


def correlation(x, y, n):
    out = np.full(len(x), np.nan)
    for t in range(n - 1, len(x)):
        a, b = x[t - n + 1 : t + 1], y[t - n + 1 : t + 1]
        if np.isnan(a).any() or np.isnan(b).any():
            continue
        a, b = a - a.mean(), b - b.mean()
        out[t] = (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())
    return out


def mid(c, n):
    return (highest(c["high"], n) + lowest(c["low"], n)) / 2


def per_day(c, f):
    """f(first row of the UTC day, this row) for every row."""
    day = c["open_time"] // DAY_MS
    first = np.searchsorted(day, day, side="left")
    return np.array([f(a, t) for t, a in enumerate(first)])


def log_returns(c):
    return np.log(c["close"] / shift(c["close"], 1))


def by_talib(c):
    """{output id: values} for everything that rests on a TA-Lib function."""
    o, h, l, x, v = (c[k] for k in ("open", "high", "low", "close", "volume"))
    out = {"mom_10": talib.MOM(x, 10), "mom_1": talib.MOM(x, 1), "roc_10": talib.ROC(x, 10)}
    averages = {"sma": talib.SMA, "ema": talib.EMA, "wma": talib.WMA, "dema": talib.DEMA, "tema": talib.TEMA, "hma": talib.HMA, "kama": talib.KAMA}
    listed = {"sma": (5, 10, 20, 50), "ema": (5, 10, 20, 50), "kama": (10,)}
    for name, function in averages.items():
        for n in listed.get(name, (20,)):
            out[f"{name}_{n}"] = function(x, n)
            out[f"{name}_ratio_{n}"] = x / function(x, n) - 1
    out["rsi_14"], out["cmo_14"] = talib.RSI(x, 14), talib.CMO(x, 14)
    for name, values in zip(("line", "signal", "hist"), talib.MACD(x, 12, 26, 9)):
        out[f"macd_{name}_12_26_9"] = values
        out[f"macd_{name}_ratio_12_26_9"] = values / x
    out["stoch_k_14_3_3"], out["stoch_d_14_3_3"] = talib.STOCH(h, l, x, 14, 3, 0, 3, 0)
    out["stoch_rsi_k_14_14_3"], out["stoch_rsi_d_14_14_3"] = talib.STOCHRSI(x, 14, 14, 3, 0)
    out["willr_14"], out["cci_20"], out["trix_15"] = talib.WILLR(h, l, x, 14), talib.CCI(h, l, x, 20), talib.TRIX(x, 15)
    out["ultosc_7_14_28"], out["mfi_14"] = talib.ULTOSC(h, l, x, 7, 14, 28), talib.MFI(h, l, x, v, 14)
    out["ao_5_34"] = talib.AO(h, l, 5, 34)
    out["ao_ratio_5_34"] = out["ao_5_34"] / x
    out["ppo_12_26"], out["bop"] = talib.PPO(x, 12, 26, 1), talib.BOP(o, h, l, x)
    out["adx_14"], out["plus_di_14"], out["minus_di_14"] = (f(h, l, x, 14) for f in (talib.ADX, talib.PLUS_DI, talib.MINUS_DI))
    out["aroon_down_25"], out["aroon_up_25"] = talib.AROON(h, l, 25)
    out["aroon_osc_25"] = talib.AROONOSC(h, l, 25)
    out["sar_2_20"] = talib.SAR(h, l, 0.02, 0.2)
    out["sar_ratio_2_20"] = x / out["sar_2_20"] - 1
    line, direction = talib.SUPERTREND(h, l, x, 10, 3.0)
    out["supertrend_10_3"], out["supertrend_ratio_10_3"] = line, x / line - 1
    out["supertrend_direction_10_3"] = np.where(np.isnan(line), np.nan, direction.astype(float))
    out["linreg_slope_20"] = talib.LINEARREG_SLOPE(x, 20)
    out["linreg_slope_ratio_20"] = out["linreg_slope_20"] / x
    out["vortex_plus_14"], out["vortex_minus_14"] = talib.VORTEX(h, l, x, 14)
    out["er_10"] = talib.ER(x, 10)
    out["atr_14"], out["natr_14"] = talib.ATR(h, l, x, 14), talib.NATR(h, l, x, 14)
    up, middle, down = talib.BBANDS(x, 20, 2.0, 2.0, 0)
    out["bb_upper_20_2"], out["bb_middle_20_2"], out["bb_lower_20_2"] = up, middle, down
    out["bb_upper_ratio_20_2"], out["bb_lower_ratio_20_2"] = x / up - 1, x / down - 1
    out["bb_width_20_2"], out["bb_pct_b_20_2"] = (up - down) / middle, (x - down) / (up - down)
    up, middle, down = talib.KC(h, l, x, 20, 10, 2.0)
    out["keltner_upper_20_10_2"], out["keltner_middle_20_10_2"], out["keltner_lower_20_10_2"] = up, middle, down
    out["keltner_upper_ratio_20_10_2"], out["keltner_lower_ratio_20_10_2"] = x / up - 1, x / down - 1
    out["keltner_width_20_10_2"] = (up - down) / middle
    up, middle, down = talib.DONCHIAN(h, l, 20)
    out["donchian_upper_20"], out["donchian_middle_20"], out["donchian_lower_20"] = up, middle, down
    out["donchian_width_20"], out["donchian_position_20"] = (up - down) / middle, (x - down) / (up - down)
    out["obv"], out["ad"], out["adosc_3_10"] = talib.OBV(x, v), talib.AD(h, l, x, v), talib.ADOSC(h, l, x, v, 3, 10)
    out["adosc_ratio_3_10"] = out["adosc_3_10"] / mean(v, 10)
    out["cmf_20"] = talib.CMF(h, l, x, v, 20)
    out["volume_ema_ratio_20"] = v / talib.EMA(v, 20)
    out["force_index_13"] = talib.EFI(x, v, 13)
    out["force_index_ratio_13"] = out["force_index_13"] / (x * mean(v, 13))
    return out


def by_numpy(c):
    """{output id: values} for our own formulas, and for TA-Lib functions that its C library does not export."""
    o, h, l, x, v = (c[k] for k in ("open", "high", "low", "close", "volume"))
    r, typical = log_returns(c), (h + l + x) / 3
    out = {}
    for n in (1, 4, 12, 24):
        out[f"simple_return_{n}"] = x / shift(x, n) - 1
        out[f"log_return_{n}"] = np.log(x / shift(x, n))
    out["gap"] = np.log(o / shift(x, 1))
    size = np.where(h > l, h - l, np.nan)
    out["body_share"], out["upper_wick_share"] = (x - o) / size, (h - np.maximum(o, x)) / size
    out["lower_wick_share"] = (np.minimum(o, x) - l) / size
    out["body_log"], out["upper_wick_log"] = np.log(x / o), np.log(h / np.maximum(o, x))
    out["lower_wick_log"], out["range_log"] = np.log(np.minimum(o, x) / l), np.log(h / l)
    top, bottom = per_day(c, lambda a, t: h[a : t + 1].max()), per_day(c, lambda a, t: l[a : t + 1].min())
    out["day_range_position"] = (x - bottom) / np.where(top > bottom, top - bottom, np.nan)
    for n in (24, 50):
        out[f"distance_high_{n}"], out[f"distance_low_{n}"] = np.log(x / highest(h, n)), np.log(x / lowest(l, n))
    started = np.where(np.isnan(mean(v, 24)), np.nan, 0.0)
    for name, price in (("open", o), ("high", h), ("low", l), ("close", x)):
        out[f"ohlcv_{name}"] = np.log(price / shift(x, 1)) + started
    out["ohlcv_volume"] = np.log1p(v / mean(v, 24))
    out["vwap_24"] = total(typical * v, 24) / total(v, 24)
    out["vwap_ratio_24"] = x / out["vwap_24"] - 1
    out["vwap_session"] = per_day(c, lambda a, t: (typical[a : t + 1] * v[a : t + 1]).sum() / v[a : t + 1].sum())
    out["vwap_session_ratio"] = x / out["vwap_session"] - 1
    for fast, slow in ((20, 50), (50, 200)):
        out[f"ma_cross_{fast}_{slow}"] = np.sign(mean(x, fast) - mean(x, slow))
    lines = {"tenkan": mid(c, 9), "kijun": mid(c, 26), "span_a": (mid(c, 9) + mid(c, 26)) / 2, "span_b": mid(c, 52)}
    complete = np.where(np.isnan(lines["span_b"]), np.nan, 0.0)
    for name, values in lines.items():
        out[f"ichimoku_{name}_9_26_52"] = values + complete
        out[f"ichimoku_{name}_ratio_9_26_52"] = x / values - 1 + complete
    out["linreg_r2_20"] = correlation(np.arange(len(x), dtype=float), x, 20) ** 2
    out["trend_strength_24"] = total(r, 24) / np.sqrt(total(r * r, 24))
    annual = lambda variance: np.sqrt(variance * PER_YEAR)
    satchell = np.log(h / x) * np.log(h / o) + np.log(l / x) * np.log(l / o)
    for n in (24, 168):
        out[f"realized_vol_{n}"] = annual(mean(r * r, n))
    out["parkinson_24"] = annual(mean(np.log(h / l) ** 2, 24) / (4 * np.log(2)))
    out["garman_klass_24"] = annual(mean(np.log(h / l) ** 2 / 2 - (2 * np.log(2) - 1) * np.log(x / o) ** 2, 24))
    out["rogers_satchell_24"] = annual(mean(satchell, 24))
    k = 0.34 / (1.34 + 25 / 23)
    gaps, bodies = spread(out["gap"], 24, 1) ** 2, spread(np.log(x / o), 24, 1) ** 2
    out["yang_zhang_24"] = annual(gaps + k * bodies + (1 - k) * mean(satchell, 24))
    variance = np.full(len(x), np.nan)
    variance[1] = r[1] ** 2
    for t in range(2, len(x)):
        variance[t] = 0.94 * variance[t - 1] + 0.06 * r[t] ** 2
    out["ewma_vol_94"] = annual(variance)
    rms = np.sqrt(mean(r * r, 24))
    out["vol_of_vol_24"] = spread(rms, 24) / mean(rms, 24)
    out["upside_vol_24"] = annual(mean(np.where(np.isnan(r), r, np.maximum(r, 0)) ** 2, 24))
    out["downside_vol_24"] = annual(mean(np.where(np.isnan(r), r, np.minimum(r, 0)) ** 2, 24))
    out["obv_flow_20"] = total(v * np.sign(x - shift(x, 1)), 20) / total(v, 20)
    out["volume_ratio_20"] = v / mean(v, 20)
    out["volume_momentum_12"] = np.log(total(v, 12) / shift(total(v, 12), 12))
    out["volume_zscore_20"] = (v - mean(v, 20)) / spread(v, 20)
    middle = (h + l) / 2
    out["emv_14"] = mean((middle - shift(middle, 1)) * (h - l) / v, 14)
    if "taker_buy_base" in c:
        for n in (24, 1):
            out[f"taker_buy_share_{n}"] = total(c["taker_buy_base"], n) / total(v, n)
    if "trades" in c:
        out["quote_per_trade_24"] = total(c["quote_volume"], 24) / total(c["trades"], 24)
    serial = covariance(shift(r, 1), r, 24)
    out["roll_spread_24"] = -2 * np.sign(serial) * np.sqrt(np.abs(serial))
    d = 3 - 2 * np.sqrt(2)
    beta = np.log(h / l) ** 2 + np.log(shift(h, 1) / shift(l, 1)) ** 2
    gamma = np.log(np.maximum(h, shift(h, 1)) / np.minimum(l, shift(l, 1))) ** 2
    alpha = (np.sqrt(2 * beta) - np.sqrt(beta)) / d - np.sqrt(gamma / d)
    pair = 2 * (np.exp(alpha) - 1) / (1 + np.exp(alpha))
    out["corwin_schultz_24"] = mean(np.where(np.isnan(pair), pair, np.maximum(pair, 0)), 24)
    traded = c["quote_volume"] if "quote_volume" in c else v * x
    impact = np.where(traded > 0, np.abs(r) / np.where(traded > 0, traded, 1), np.nan)
    out["amihud_24"] = np.full(len(x), np.nan)
    for t in range(24, len(x)):
        newest = impact[t - 23 : t + 1]
        out["amihud_24"][t] = np.nanmean(newest) if np.isfinite(newest).any() else np.nan
    out["price_volume_corr_24"] = correlation(r, v, 24)
    for lag in (1, 2, 5, 10):
        out[f"autocorr_{lag}_48"] = correlation(shift(r, lag), r, 48)
    lags = np.array([1, 2, 4, 8, 16])
    spreads = np.array([np.log(spread(np.log(x / shift(x, int(lag))), 128)) for lag in lags])
    across = np.log(lags) - np.log(lags).mean()
    out["hurst_128"] = (across[:, None] * (spreads - spreads.mean(axis=0))).sum(axis=0) / (across**2).sum()
    close_ms = c["open_time"] + HOUR_MS
    day, week = 2 * np.pi * (close_ms % DAY_MS) / DAY_MS, 2 * np.pi * ((close_ms - 4 * DAY_MS) % (7 * DAY_MS)) / (7 * DAY_MS)
    out["hour_sin"], out["hour_cos"], out["weekday_sin"], out["weekday_cos"] = np.sin(day), np.cos(day), np.sin(week), np.cos(week)
    out["minutes_to_funding"] = (-close_ms % (8 * HOUR_MS)) / 60_000
    z = total(r, 50) / total(np.abs(r), 50) * np.sqrt(2 * 50 / np.pi)
    bull, bear = 1 / (1 + np.exp(-4 * (z - 1))), 1 / (1 + np.exp(-4 * (-z - 1)))
    out["regime_bull_50"], out["regime_bear_50"], out["regime_sideways_50"] = bull, bear, 1 - bull - bear
    out["regime_volatility_50"] = np.sqrt(mean(r * r, 10) / mean(r * r, 50)) + np.where(np.isnan(z), np.nan, 0.0)
    return out
