"""Reference values of the set `reversal`: NumPy, with the recursions in long double.

Nothing here is shared with the Rust code. Exponentially weighted means are those of pandas' `ewm(adjust=True).mean()`;
windows are recomputed for every candle.
"""

import numpy as np

from reference import DAY_MS, HOUR_MS, highest, lowest, mean, total

LONG = np.longdouble
HOURS = 24
MIN_RETURNS = 32  # returns behind the first volatility
MIN_DAYS = 10  # days behind the first seasonal mean


def earlier(x, n):
    """x[t-n] in the precision of x, NaN before."""
    out = np.full(len(x), np.nan, x.dtype)
    out[n:] = x[: max(len(x) - n, 0)]
    return out


def halving(n):
    """Share that a weight keeps each candle when it halves in n."""
    return LONG(0.5) ** (1 / LONG(n))


def ewma(x, kept):
    """Exponentially weighted mean with weights that sum to 1; NaN before the first number."""
    out = np.full(len(x), np.nan, LONG)
    total_value = total_weight = LONG(0)
    for t, value in enumerate(x):
        if not np.isnan(value):
            total_value, total_weight = kept * total_value + value, kept * total_weight + 1
            out[t] = total_value / total_weight
    return out


def clip(x, limit):
    return np.clip(x, -limit, limit)


def volatility(r, half_life):
    """Root of the mean square of returns whose weights halve in `half_life`; NaN behind fewer than 32 returns."""
    out = np.sqrt(ewma(r * r, halving(half_life)))
    out[:MIN_RETURNS] = np.nan
    return out


def log_volume_ratio(v, half_life):
    usual = ewma(v, halving(half_life))
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.where(usual > 0, clip(np.log(v / usual), 3), 0)
    out[: half_life - 1] = np.nan
    return out


def seasonal(open_time, z1, n):
    """Sum over the next n hours of the day of their mean z1, an hour without ten days of values counting as 0."""
    hour = open_time // HOUR_MS % HOURS
    known = np.zeros(len(z1), LONG)
    for k in range(HOURS):
        rows = np.nonzero(hour == k)[0]
        days = np.cumsum(~np.isnan(z1[rows]))
        known[rows] = np.where(days >= MIN_DAYS, ewma(z1[rows], halving(20)), 0)
    # The next hour's newest mean is of 23 candles ago.
    out = np.zeros(len(z1), LONG)
    for back in range(HOURS - 1, HOURS - 1 - n, -1):
        out[back:] += known[: max(len(z1) - back, 0)]
    return np.where(np.isnan(z1), np.nan, out)


def moves(out, log_close, sigma):
    """Adds the returns and what is made of them alone; gives the returns over n candles, scaled."""
    z = {n: clip((log_close - earlier(log_close, n)) / (sigma * np.sqrt(LONG(n))), 4) for n in (1, 2, 4, 8, 12, 24, 48, 72, 168, 336, 720)}
    for n, values in z.items():
        out[f"scaled_return_{n}"] = values
    for n in (1, 2, 4, 8, 12, 24, 72):
        out[f"scaled_return_tanh_{n}"] = np.tanh(2 * z[n])
    for k in (1, 2, 23, 167):
        out[f"scaled_return_lag_{k}"] = earlier(z[1], k)
    for k in (1, 2, 23):
        out[f"scaled_return_lag_tanh_{k}"] = np.tanh(2 * earlier(z[1], k))
    out["signed_square_return"] = z[1] * np.abs(z[1]) / 2
    for n in (24, 168):
        out[f"return_third_moment_{n}"] = clip(mean(z[1] ** 3, n), 6)
    for half_life in (2, 6, 24):
        out[f"return_sign_ema_{half_life}"] = np.sqrt(LONG(half_life)) * ewma(np.tanh(3 * z[1]), halving(half_life))
    return z


def shapes(out, c, log_close, sigma):
    o, h, l, x = (c[k].astype(LONG) for k in ("open", "high", "low", "close"))
    location = np.where(h > l, (2 * x - h - l) / np.where(h > l, h - l, 1), 0)
    out["close_location"], out["close_location_tanh"] = location, np.tanh(3 * location)
    for n in (6, 24, 72, 168):
        top, bottom = highest(c["high"], n).astype(LONG), lowest(c["low"], n).astype(LONG)
        place = (x - bottom) / np.where(top > bottom, top - bottom, 1) - 0.5
        out[f"range_position_{n}"] = np.where(np.isnan(top), np.nan, np.where(top > bottom, place, 0))
    wicks = ((h - np.maximum(o, x)) - (np.minimum(o, x) - l)) / x / sigma
    out["wick_balance"], out["wick_balance_mean_24"] = clip(wicks, 4), clip(4 * mean(wicks, 24), 4)
    for n in (20, 50, 200):
        average = ewma(log_close, 1 - 2 / LONG(n + 1))
        out[f"scaled_ema_distance_{n}"] = clip((log_close - average) / (sigma * np.sqrt(LONG(n))), 4)


def volumes(out, v, z1):
    lv = log_volume_ratio(v.astype(LONG), 168)
    out["log_volume_ratio_168"], out["log_volume_ratio_mean_168_24"] = lv, mean(lv, 24)
    product = z1 * lv
    before = earlier(product, 1)
    out["return_volume_168"], out["return_volume_previous_168"] = product + 0 * before, before
    for n in (6, 24, 168):
        traded = total(v, n)
        weighted = np.where(traded > 0, total(z1 * v, n) / np.where(traded > 0, traded, 1), 0)
        out[f"volume_weighted_return_{n}"] = np.where(np.isnan(total(z1, n)), np.nan, clip(np.sqrt(n) * weighted, 4))


def volatilities(out, r, z, sigma):
    short, long = volatility(r, 6), volatility(r, 720)
    out["log_vol_ratio_6"] = clip(np.log((short + LONG("1e-5")) / sigma), 2)
    out["log_vol_ratio_720"] = clip(np.log(sigma / (long + LONG("1e-5"))), 2)
    out["return_vol_ratio_1_6"], out["return_vol_ratio_4_6"] = z[1] * out["log_vol_ratio_6"], z[4] * out["log_vol_ratio_6"]
    out["return_vol_ratio_24_720"] = z[24] * out["log_vol_ratio_720"]


def calendar(out, open_time, z1):
    """Of the next candle, which opens when this one closes."""
    close = open_time + HOUR_MS
    day, week = close % DAY_MS / DAY_MS, (close - 4 * DAY_MS) % (7 * DAY_MS) / (7 * DAY_MS)
    for share, names, harmonics in ((day, ("hour", "hour_harmonic"), (1, 2, 3, 4)), (week, ("weekday", "week_harmonic"), (1, 2))):
        for k in harmonics:
            turn = 2 * np.pi * (k * share % 1)
            ending = "" if k == 1 else f"_{k}"
            name = names[0] if k == 1 else names[1]
            out[f"{name}_sin{ending}"], out[f"{name}_cos{ending}"] = np.sin(turn), np.cos(turn)
    out["seasonal_return"], out["seasonal_return_sum_4"] = 3 * seasonal(open_time, z1, 1), seasonal(open_time, z1, 4)


def by_reversal(c):
    """{output id: values} for the 68 outputs of the set, over hourly candles without gaps."""
    log_close = np.log(c["close"].astype(LONG))
    r = np.diff(log_close, prepend=LONG(np.nan))
    sigma = np.maximum(volatility(r, 72), LONG("1e-4"))
    out = {}
    z = moves(out, log_close, sigma)
    shapes(out, c, log_close, sigma)
    volumes(out, c["volume"], z[1])
    volatilities(out, r, z, sigma)
    calendar(out, c["open_time"], z[1])
    return {name: values.astype(float) for name, values in out.items()}
