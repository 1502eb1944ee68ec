//! The generated market: deterministic candles for demonstrations and tests, marked by venue `synthetic`.
//!
//! Log returns follow a regime-switching drift (bull, sideways, bear) and a GARCH(1,1) volatility with
//! Student-t errors; a common factor correlates the coins; volumes carry daily and weekly seasons and rise
//! with volatility. Pumps (a fast rise with a volume spike, then a collapse) and one flash crash are planted
//! and reported. A small mean reversion, see [`MarketConfig::predictability`], can be planted too.

use crate::{Candle, CandleSeries, Columns, Interval, Seed, SeriesKey, Stream, Symbol, Timestamp, Venue};

/// What to generate.
#[derive(Debug, Clone, PartialEq)]
pub struct MarketConfig {
    /// Symbols and their starting prices; the first is the factor's main carrier.
    pub coins: Vec<(&'static str, f64)>,
    /// Candle length.
    pub interval: Interval,
    /// Candles a coin.
    pub n_candles: usize,
    /// Open time of the first candle.
    pub start: Timestamp,
    /// Root of all randomness.
    pub seed: Seed,
    /// First-order coefficient of the predictable part of returns: each return contains this share of the
    /// last one's negative. 0 makes an unpredictable market.
    pub predictability: f64,
}

impl Default for MarketConfig {
    fn default() -> Self {
        Self {
            coins: vec![("BTCUSDT", 30_000.0), ("ETHUSDT", 2_000.0), ("XRPUSDT", 0.5)],
            interval: Interval::H1,
            n_candles: 17_520,
            start: Timestamp::year_start(2022),
            seed: Seed::default(),
            predictability: 0.0,
        }
    }
}

/// An event planted in the generated market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// Rise, volume spike and collapse; first candle of the rise.
    Pump(Timestamp),
    /// Crash and rebound; candle of the crash.
    FlashCrash(Timestamp),
}

/// One generated coin.
#[derive(Debug, Clone)]
pub struct Generated {
    /// Its candles.
    pub series: CandleSeries,
    /// What was planted.
    pub planted: Vec<Planted>,
}

/// Annualised drifts of the regimes bull, sideways and bear, and the mean stay in days.
const REGIME_DRIFTS: [f64; 3] = [0.8, 0.0, -0.8];
const REGIME_DAYS: f64 = 20.0;
/// GARCH(1,1) on variance in units of the long-run variance.
const GARCH_ALPHA: f64 = 0.09;
const GARCH_BETA: f64 = 0.89;
const ANNUAL_VOLATILITY: f64 = 0.65;
/// Share of a coin's variance that comes from the common factor.
const FACTOR_SHARE: f64 = 0.6;
const T_DOF: usize = 5;

/// Generates the market of `config`, coin by coin; coins share the factor and the regimes.
pub fn generate(config: &MarketConfig) -> Vec<Generated> {
    let n = config.n_candles;
    let factor: Vec<f64> = unit_returns(config.seed.derive("market-factor", 0).stream(), n);
    let drift = regime_drift(config, config.seed.derive("market-regime", 0).stream());
    config
        .coins
        .iter()
        .enumerate()
        .map(|(k, &(name, price))| {
            let own = unit_returns(config.seed.derive("market-coin", k as u64).stream(), n);
            coin(config, k, name, price, &factor, &own, &drift)
        })
        .collect()
}

/// Candles of a random walk for tests of honesty: hourly, independent Student-t log returns of 0.6 % a candle,
/// no drift, volumes without meaning. With `predictability` p each return contains `-p` times the last one: the
/// part that a forecaster can find.
pub fn random_walk(n_candles: usize, seed: Seed, predictability: f64) -> CandleSeries {
    const SIGMA: f64 = 0.006;
    let mut rng = seed.derive("random-walk", 0).stream();
    let start = Timestamp::year_start(2020);
    let (mut columns, mut open, mut last) = (Columns::default(), 100.0_f64, 0.0);
    for i in 0..n_candles {
        let log_return = -predictability * last + SIGMA * rng.student_t(T_DOF);
        let close = open * log_return.exp();
        let (up, down) = (SIGMA * rng.uniform(), SIGMA * rng.uniform());
        columns.push(&Candle {
            open_time: start.plus_ms(i as i64 * Interval::H1.ms()),
            open,
            high: open.max(close) * up.exp(),
            low: open.min(close) * (-down).exp(),
            close,
            volume: 100.0 * (0.5 * rng.normal()).exp(),
            quote_volume: None,
            trades: None,
            taker_buy_base: None,
        });
        (open, last) = (close, log_return);
    }
    let symbol = Symbol::new("WALKUSDT").unwrap_or_else(|_| unreachable!("a constant in exchange form"));
    let key = SeriesKey::new(Venue::synthetic(), symbol, Interval::H1);
    CandleSeries::new(key, columns).unwrap_or_else(|e| unreachable!("generated candles are valid by construction: {e}"))
}

/// Garch returns of unit long-run variance.
fn unit_returns(mut rng: Stream, n: usize) -> Vec<f64> {
    let mut variance = 1.0_f64;
    (0..n)
        .map(|_| {
            let r = variance.sqrt() * rng.student_t(T_DOF);
            // A bound on one shock keeps the recursion from exploding on a rare draw.
            variance = (1.0 - GARCH_ALPHA - GARCH_BETA) + GARCH_ALPHA * r.powi(2).min(60.0) + GARCH_BETA * variance;
            r
        })
        .collect()
}

fn regime_drift(config: &MarketConfig, mut rng: Stream) -> Vec<f64> {
    let leave = 1.0 / (REGIME_DAYS * config.interval.per_day()).max(1.0);
    let mut state = 1;
    (0..config.n_candles)
        .map(|_| {
            if rng.uniform() < leave {
                state = (state + 1 + rng.below(2)) % 3;
            }
            REGIME_DRIFTS[state] / config.interval.per_year()
        })
        .collect()
}

fn coin(
    config: &MarketConfig,
    index: usize,
    name: &'static str,
    price: f64,
    factor: &[f64],
    own: &[f64],
    drift: &[f64],
) -> Generated {
    let n = config.n_candles;
    let sigma = ANNUAL_VOLATILITY * (1.0 + 0.25 * index as f64) / config.interval.per_year().sqrt();
    let mut rng = config.seed.derive("market-bars", index as u64).stream();
    let mut returns: Vec<f64> = Vec::with_capacity(n);
    for i in 0..n {
        let shock = FACTOR_SHARE.sqrt() * factor[i] + (1.0 - FACTOR_SHARE).sqrt() * own[i];
        let before = if i > 0 { returns[i - 1] } else { 0.0 };
        returns.push(drift[i] - config.predictability * before + sigma * shock.clamp(-12.0, 12.0));
    }
    let mut volume_boost = vec![1.0; n];
    let planted = plant(config, index, &mut returns, &mut volume_boost);
    let mut columns = Columns::default();
    let mut open = price;
    for i in 0..n {
        let open_time = Timestamp(config.interval.floor(config.start).0 + i as i64 * config.interval.ms());
        let close = open * returns[i].exp();
        let wick = |u: f64| (-sigma * 0.6 * u.ln().abs()).exp();
        let high = open.max(close) / wick(1.0 - rng.uniform());
        let low = open.min(close) * wick(1.0 - rng.uniform());
        let volume = volume_boost[i] * season(open_time) * (2.0e7 / price) / config.interval.per_day().max(1.0)
            * (0.5 * (returns[i].abs() / sigma).min(8.0) + 0.35 * rng.normal()).exp();
        columns.push(&Candle {
            open_time,
            open,
            high,
            low,
            close,
            volume,
            quote_volume: Some(volume * (open + close) / 2.0),
            trades: Some((volume * price / 900.0).round()),
            taker_buy_base: Some(volume * (0.5 + 0.1 * (returns[i] / sigma).tanh())),
        });
        open = close;
    }
    let symbol = Symbol::new(name).unwrap_or_else(|_| unreachable!("coin names are constants in exchange form"));
    let key = SeriesKey::new(Venue::synthetic(), symbol, config.interval);
    let series = CandleSeries::new(key, columns)
        .unwrap_or_else(|e| unreachable!("generated candles are valid by construction: {e}"));
    Generated { series, planted }
}

/// Daily season with its peak in the European and American afternoon, quieter weekends.
fn season(t: Timestamp) -> f64 {
    let hour = (t.0.rem_euclid(86_400_000)) as f64 / 3_600_000.0;
    let weekday = (t.0.div_euclid(86_400_000) + 3).rem_euclid(7);
    let daily = 1.0 + 0.45 * (std::f64::consts::TAU * (hour - 9.0) / 24.0).sin();
    daily * if weekday >= 5 { 0.7 } else { 1.0 }
}

/// Plants a pump about every 1,500 candles into all coins but the first, and one flash crash into every coin.
fn plant(config: &MarketConfig, index: usize, returns: &mut [f64], boost: &mut [f64]) -> Vec<Planted> {
    let n = returns.len();
    let time = |i: usize| Timestamp(config.interval.floor(config.start).0 + i as i64 * config.interval.ms());
    let mut rng = config.seed.derive("market-events", index as u64).stream();
    let mut planted = Vec::new();
    if index > 0 {
        for k in 0..n / 1_500 {
            let at = k * 1_500 + 200 + rng.below(1_200);
            if at + 8 >= n {
                continue;
            }
            let rise = 0.12 + 0.15 * rng.uniform();
            for (j, share) in [(0, 0.45), (1, 0.55), (2, -0.5), (3, -0.3), (4, -0.15)] {
                returns[at + j] += share * rise;
                boost[at + j] *= 12.0 - 2.0 * j as f64;
            }
            planted.push(Planted::Pump(time(at)));
        }
    }
    if n > 1_000 {
        let at = config.seed.derive("market-crash", 0).stream().below(n / 3) + n / 3;
        for (j, r, b) in [(0, -0.17, 15.0), (1, 0.08, 10.0), (2, 0.03, 5.0)] {
            returns[at + j] += r;
            boost[at + j] *= b;
        }
        planted.push(Planted::FlashCrash(time(at)));
    }
    planted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_market_repeats_for_a_seed_and_has_its_events() {
        let config = MarketConfig { n_candles: 4_000, ..MarketConfig::default() };
        let (a, b) = (generate(&config), generate(&config));
        assert_eq!(a[1].series, b[1].series);
        let other = generate(&MarketConfig { seed: Seed(7), ..config.clone() });
        assert_ne!(a[0].series, other[0].series);
        assert!(a[1].planted.iter().any(|p| matches!(p, Planted::Pump(_))));
        assert!(a[0].planted.iter().any(|p| matches!(p, Planted::FlashCrash(_))));
        assert!(a.iter().all(|g| g.series.key().venue.is_synthetic() && g.series.len() == 4_000));
    }

    #[test]
    fn coins_are_correlated_and_tails_are_fat() {
        let market = generate(&MarketConfig { n_candles: 8_000, ..MarketConfig::default() });
        let returns =
            |k: usize| -> Vec<f64> { market[k].series.close().windows(2).map(|w| (w[1] / w[0]).ln()).collect() };
        let (a, b) = (returns(0), returns(1));
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let (ma, mb) = (mean(&a), mean(&b));
        let cov: f64 = a.iter().zip(&b).map(|(x, y)| (x - ma) * (y - mb)).sum();
        let (va, vb): (f64, f64) = (a.iter().map(|x| (x - ma).powi(2)).sum(), b.iter().map(|x| (x - mb).powi(2)).sum());
        assert!(cov / (va * vb).sqrt() > 0.4);
        let kurtosis = a.iter().map(|x| (x - ma).powi(4)).sum::<f64>() * a.len() as f64 / va.powi(2);
        assert!(kurtosis > 4.0, "{kurtosis}");
    }
}
