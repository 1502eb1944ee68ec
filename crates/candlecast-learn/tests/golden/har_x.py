"""Makes har_x.json: regressors, fits and scales of `har-x` as pandas and numpy compute them.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r requirements.txt
    /tmp/peers/bin/python har_x.py

Made with pandas 3.1.1 and numpy 2.4.6 from seed 20260301. The market is made: 4,300 hours whose volatility has a season
of the day and of the week and slow waves, with fat tails; two short gaps, which are filled, and one of ten hours, which
ends a segment. Prices and volumes are rounded, so that both sides read the same numbers.

Columns of a row are the 30 regressors that all horizons share and the season over the next h candles, one for each
anchor h. Exponentially weighted means are `ewm(halflife).mean()`; those of the season skip candles that are missing
(`ignore_na`), as nothing is learnt there. Fits are direct: columns are rounded to single precision, as they are kept,
centred and scaled as a matrix, and the normal equations solved.
"""

import json
import pathlib

import numpy as np
import pandas as pd

HERE = pathlib.Path(__file__).parent
SEED = 20260301
HOUR = 3_600_000
HOURS = 4_300
START = 1_622_610_000_000  # 2021-06-02T05:00:00Z, a Wednesday
MISSING = [1_500, 1_501, 2_200]
LONG_GAP = range(3_000, 3_010)

ANCHORS = [1, 2, 4, 8, 12, 24, 48, 96, 192, 288]
LAGS = [1, 6, 24, 72, 168, 720]
MOVES = [6, 24, 168]
VOLUMES = [1, 6, 24, 168]
HARMONICS = [1, 2, 3, 7, 14]
SHARED = 30
PENALTY = 0.03
BLOCK = 28 * 24 * HOUR
BLOCKS = 65
MIN_ROWS = 1_000
BOUND = 8.0


def made_candles():
    """Log prices in twelve parts of an hour, whose volatility is that of the hour."""
    rng = np.random.default_rng(SEED)
    hour = (START // HOUR + np.arange(HOURS)) % 24
    weekday = ((START // HOUR + np.arange(HOURS)) // 24 + 3) % 7
    season = 0.5 * np.sin((hour - 8) * np.pi / 12) - 0.4 * (weekday >= 5)
    wave = np.zeros(HOURS)
    for i in range(1, HOURS):
        wave[i] = 0.97 * wave[i - 1] + 0.12 * rng.normal()
    sigma = 0.006 * np.exp(season + wave) * np.sqrt(3 / rng.chisquare(5, HOURS))
    path = 30_000 * np.exp(np.cumsum(rng.normal(size=(HOURS, 12)) * sigma[:, None] / np.sqrt(12)))
    path = path.reshape(HOURS, 12)
    close = np.round(path[:, -1], 2)
    open_ = np.concatenate([[30_000.0], close[:-1]])
    high = np.maximum(np.round(path.max(1), 2), np.maximum(open_, close))
    low = np.minimum(np.round(path.min(1), 2), np.minimum(open_, close))
    volume = np.round(500 * np.exp(0.8 * (season + wave) + 0.4 * rng.normal(size=HOURS)), 2)
    # What opens behind a gap opens where it closed before, and lies within its own range.
    there = np.array([i not in MISSING and i not in LONG_GAP for i in range(HOURS)])
    frame = pd.DataFrame({"open": open_, "high": high, "low": low, "close": close, "volume": volume})
    frame["hour"] = np.arange(HOURS)
    return frame[there].reset_index(drop=True)


def filled(candles):
    """Every row of the market: short gaps as flat candles; the segments that the long one leaves."""
    grid = candles.set_index("hour").reindex([h for h in range(HOURS) if h not in LONG_GAP])
    missing = grid["close"].isna().to_numpy()
    grid["close"] = grid["close"].ffill()
    for name in ["open", "high", "low"]:
        grid[name] = grid[name].fillna(grid["close"])
    grid["volume"] = grid["volume"].fillna(0.0)
    return grid, missing


def log_floored(x):
    return np.log(np.maximum(x, 1e-9))


def ewm(values, halflife, min_periods=0):
    return pd.Series(values).ewm(halflife=halflife, min_periods=min_periods).mean().to_numpy()


def ratios(grid, missing, segments):
    """q by hour of the whole time, NaN where nothing is learnt."""
    q = np.full(HOURS, np.nan)
    for rows in segments:
        part = grid.iloc[rows]
        ranges = parkinson(part)
        usual = pd.Series(ewm(ranges, 168, 168)).shift(1).to_numpy()
        ratio = np.minimum(ranges / np.maximum(usual, 1e-9), 8.0)
        ratio[missing[rows]] = np.nan
        q[part.index.to_numpy()] = ratio
    return q


def parkinson(part):
    return (np.log(part["high"]) - np.log(part["low"])).to_numpy() ** 2 / (4 * np.log(2))


def season(q, hours, steps):
    """f(t + k) as known at t, or, for what is past, as it was known before, [row, step]."""
    monday = (START // HOUR - 96) % 168
    half = {}
    for period, halflife, least in [(168, 20, 4), (24, 60, 20)]:
        first = monday % period
        table = np.full(((HOURS + first) // period + 1) * period, np.nan)
        table[first : first + HOURS] = q
        means = pd.DataFrame(table.reshape(-1, period)).ewm(halflife=halflife, min_periods=least, ignore_na=True)
        means = means.mean().to_numpy().ravel()
        columns = []
        for k in steps:
            back = period * max(1, -(-k // period))
            at = hours + first + k - back
            columns.append(np.where(at >= 0, means[np.maximum(at, 0)], np.nan))
        half[period] = np.stack(columns, 1)
    day = np.where(np.isnan(half[24]), 1.0, half[24])
    week = np.where(np.isnan(half[168]), day, half[168])
    return 0.5 * (week + day)


def columns_of(grid, missing, segments):
    q = ratios(grid, missing, segments)
    out = np.full((len(grid), SHARED + len(ANCHORS)), np.nan)
    for rows in segments:
        part = grid.iloc[rows]
        hours, close = part.index.to_numpy(), np.log(part["close"].to_numpy())
        returns, ranges = np.diff(close, prepend=close[0]), parkinson(part)
        level = log_floored(24 * ewm(ranges, 720, 720))
        lags = [np.log(24 * pd.Series(ranges).rolling(m).mean().to_numpy() + 1e-7) - level for m in LAGS]
        past = season(q, hours, range(-23, 1))
        names = [level, *lags, log_floored(past.mean(1)), log_floored(past[:, 18:].mean(1))]
        turn = 2 * np.pi * ((START // HOUR + hours + 1 - 96) % 168) / 168
        for k in HARMONICS:
            names += [np.sin(k * turn), np.cos(k * turn)]
        sigma = np.sqrt(np.exp(level) / 24)
        for m in MOVES:
            moves = close - pd.Series(close).shift(m).to_numpy()
            z = np.clip(moves / (sigma * np.sqrt(m)), -4, 4)
            names += [np.minimum(z, 0), np.abs(z)]
        volume = part["volume"].to_numpy()
        usual = ewm(volume, 720, 720)
        for m in VOLUMES:
            mean = pd.Series(volume).rolling(m).mean().to_numpy()
            names.append(np.clip(np.log((mean + 1e-9) / (usual + 1e-9)), -4, 4))
        squares = pd.Series(returns**2)
        names.append(np.clip(squares.rolling(24).max() / (squares.rolling(24).sum() + 1e-9), 0, 1).to_numpy())
        ahead = np.cumsum(season(q, hours, range(1, ANCHORS[-1] + 1)), 1)
        names += [log_floored(ahead[:, h - 1] / h) for h in ANCHORS]
        out[rows] = np.stack(names, 1)
        out[rows.start : rows.start + 719] = np.nan
    return out


def between(values, anchors, step):
    """Values at anchors, linear in the logarithm of the step between them, [row]."""
    upper = next((k for k, a in enumerate(anchors) if a >= step), len(anchors) - 1)
    if anchors[upper] <= step:
        return values[:, upper]
    lower = upper - 1
    weight = np.log(step / anchors[lower]) / np.log(anchors[upper] / anchors[lower])
    return values[:, lower] + weight * (values[:, upper] - values[:, lower])


def regressors(columns, horizon):
    kept = columns.astype(np.float32).astype(np.float64)
    return np.column_stack([kept[:, :SHARED], between(kept[:, SHARED:], ANCHORS, horizon)])


def ridge(x, y):
    n, centre, scale = len(y), x.mean(0), x.std(0)
    b = (x - centre) / scale
    slopes = np.linalg.solve(b.T @ b / n + PENALTY * np.eye(x.shape[1]), b.T @ (y - y.mean()) / n) / scale
    intercept = y.mean() - centre @ slopes
    residual = y - intercept - x @ slopes
    return slopes, intercept + np.log(np.mean(np.exp(residual)))


def sums_ahead(values, rows, horizon):
    return np.array([values[r + 1 : r + 1 + horizon].sum() for r in rows])


def usable(columns, missing, segments, horizon):
    """Rows that are real, with all regressors and with targets that are real candles of their segment."""
    rows = []
    for part in segments:
        rows += [
            r
            for r in range(part.start, part.stop - horizon)
            if not missing[r] and np.isfinite(columns[r, 0]) and not missing[r + 1 : r + 1 + horizon].any()
        ]
    return np.array(rows)


def learnt(grid, missing, segments, columns, horizon, end):
    """The fit of `har-x` on all origins whose outcomes are complete before row `end`, and forecasts behind it."""
    rows = usable(columns, missing, segments, horizon)
    train = rows[rows + horizon < end]
    level = columns[:, 0].astype(np.float32).astype(np.float64)
    x, base = regressors(columns, horizon), level - np.log(24) + np.log(horizon)
    close = np.log(grid["close"].to_numpy())
    squares = np.concatenate([[0.0], np.diff(close) ** 2])
    variance = np.maximum(sums_ahead(squares, train, horizon), horizon * 1e-10)
    slopes, intercept = ridge(x[train], np.clip(np.log(variance) - base[train], -BOUND, BOUND))
    at = rows[rows >= end][::97]
    forecasts = base[at] + np.clip(intercept + x[at] @ slopes, -BOUND, BOUND)
    return {
        "horizon": horizon,
        "end": end,
        "samples": len(train),
        "intercept": intercept,
        "beta": slopes.tolist(),
        "rows": at.tolist(),
        "forecasts": forecasts.tolist(),
    }


def scales(grid, missing, segments, columns, horizon):
    """Fits of the scale at every instant that has enough rows before it, and scales from some rows."""
    anchors = [a for a in ANCHORS if a <= horizon]
    anchors += [horizon] if anchors[-1] != horizon else []
    rows = usable(columns, missing, segments, horizon)
    close = np.log(grid["close"].to_numpy())
    times = START + grid.index.to_numpy() * HOUR + HOUR
    ranges, level = parkinson(grid), columns[:, 0].astype(np.float32).astype(np.float64)
    fits = []
    for k in range(times[0] // BLOCK + 1, times[-1] // BLOCK + 1):
        known = times[rows + horizon]
        train = rows[(known <= k * BLOCK) & (known > (k - BLOCKS) * BLOCK)]
        if len(train) < MIN_ROWS:
            continue
        fit = {"at": int(k * BLOCK), "intercepts": [], "betas": [], "kappas": []}
        for h in anchors:
            x, base = regressors(columns, h)[train], level[train] - np.log(24) + np.log(h)
            y = np.clip(np.log(sums_ahead(ranges, train, h) + 1e-8) - base, -BOUND, BOUND)
            slopes, intercept = ridge(x, y)
            ratio = (close[train + h] - close[train]) ** 2 / np.exp(base + intercept + x @ slopes)
            fit["intercepts"].append(intercept)
            fit["betas"].append(slopes.tolist())
            fit["kappas"].append(float(np.clip(ratio.mean(), 0.5, 2.0)))
        fits.append(fit)
    at = [int(r) for r in np.flatnonzero(np.isfinite(columns[:, 0])) if times[r] >= fits[0]["at"]][::151]
    values = []
    for row in at:
        fit = next(f for f in reversed(fits) if f["at"] <= times[row])
        log_variance = []
        for a, h in enumerate(anchors):
            x = regressors(columns[row : row + 1], h)[0]
            relative = np.clip(fit["intercepts"][a] + x @ np.array(fit["betas"][a]), -BOUND, BOUND)
            log_variance.append(level[row] - np.log(24) + np.log(h) + relative + np.log(fit["kappas"][a]))
        log_variance = np.array([log_variance])
        steps = [between(log_variance, anchors, h)[0] for h in range(1, horizon + 1)]
        values.append(np.exp(0.5 * np.array(steps)).tolist())
    return {"horizon": horizon, "anchors": anchors, "fits": fits, "rows": at, "scales": values}


def rounded(value):
    """To 15 significant digits."""
    if isinstance(value, float):
        return float(f"{value:.14e}")
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list) else value


def main():
    candles = made_candles()
    grid, missing = filled(candles)
    segments = [slice(0, LONG_GAP.start), slice(LONG_GAP.start, len(grid))]
    columns = columns_of(grid, missing, segments)
    defined = np.flatnonzero(np.isfinite(columns).all(1))
    rows = sorted({int(r) for r in [*defined[::83], defined[0], LONG_GAP.start + 719, defined[-1]]})
    golden = {
        "versions": {"pandas": pd.__version__, "numpy": np.__version__},
        "seed": SEED,
        "start": START,
        "hours": candles["hour"].tolist(),
        "high": candles["high"].tolist(),
        "low": candles["low"].tolist(),
        "close": candles["close"].tolist(),
        "volume": candles["volume"].tolist(),
        "rows": rows,
        "columns": columns[rows].tolist(),
        "learnt": [learnt(grid, missing, segments, columns, horizon, 2_600) for horizon in [24, 6]],
        "scale": scales(grid, missing, segments, columns, 30),
    }
    inputs = {"hours", "high", "low", "close", "volume"}
    golden = {key: value if key in inputs else rounded(value) for key, value in golden.items()}
    (HERE / "har_x.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
