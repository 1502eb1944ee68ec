//! `intervals`: those of the naive forecast beside those of the rule before, on the same origins, and its distributions
//! beside a normal one of the same volatility.

use candlecast_learn::{Market, ModelReport, Report};
use candlecast_pipeline::PipelineOptions;
use rayon::prelude::*;

use crate::settings::Settings;
use crate::statistics::{mean, normal_crps};
use crate::table::{Table, number, percent};
use crate::{Result, before, candles, walk};

const HORIZON: usize = 24;
/// Steps that are told one by one.
const STEPS: [usize; 3] = [1, 4, 24];

pub(crate) fn run(settings: &Settings) -> Result<()> {
    let options = settings.options(HORIZON);
    let mut coins = Vec::new();
    for symbol in &settings.coins {
        let market = walk::market(&candles::series(settings, symbol)?, &options);
        let report = walk::compared(&market, &[], &options, settings.range)?;
        let origins = walk::origins(&market, &walk::plan(&market, &options, settings.range)?, HORIZON);
        coins.push((symbol.clone(), measured(&market, &report, &origins, &options)?));
        eprintln!("{symbol}: {} origins", report.origins);
    }
    println!(
        "Intervals that are to cover {}:\n\n{}\n",
        percent(Some(options.level), 0),
        by_step(&coins, options.level)
    );
    println!("All coins, ours over the rule before:\n\n{}", pooled(&coins, options.level));
    Ok(())
}

/// Sums over intervals.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    n: f64,
    /// Outcomes inside, by tercile of the volatility at the origin.
    inside: [f64; 3],
    /// Intervals by tercile.
    by_tercile: [f64; 3],
    width: f64,
    /// Distances of outcomes from the intervals that missed them.
    outside: f64,
}

impl Sums {
    fn add(&mut self, (lower, upper): (f64, f64), actual: f64, tercile: usize) {
        self.n += 1.0;
        self.by_tercile[tercile] += 1.0;
        self.inside[tercile] += f64::from(u8::from((lower..=upper).contains(&actual)));
        self.width += upper - lower;
        self.outside += (lower - actual).max(actual - upper).max(0.0);
    }

    fn merge(&mut self, other: &Self) {
        for tercile in 0..3 {
            self.inside[tercile] += other.inside[tercile];
            self.by_tercile[tercile] += other.by_tercile[tercile];
        }
        self.n += other.n;
        self.width += other.width;
        self.outside += other.outside;
    }

    fn coverage(&self) -> f64 {
        self.inside.iter().sum::<f64>() / self.n
    }

    /// Coverage of the tercile that is farthest from `level`.
    fn worst_tercile(&self, level: f64) -> f64 {
        let shares = self.inside.iter().zip(self.by_tercile).filter(|(_, n)| *n > 0.0).map(|(inside, n)| inside / n);
        shares.max_by(|a, b| (a - level).abs().total_cmp(&(b - level).abs())).unwrap_or(f64::NAN)
    }

    fn width(&self) -> f64 {
        self.width / self.n
    }

    /// Mean interval score (Gneiting and Raftery 2007), in log returns.
    fn score(&self, level: f64) -> f64 {
        (self.width + 2.0 / (1.0 - level) * self.outside) / self.n
    }
}

/// What was measured of one coin at one step.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// Candles ahead; `None` for all together.
    step: Option<usize>,
    ours: Sums,
    before: Sums,
    /// Mean CRPS, in log returns.
    crps: Option<f64>,
    /// Mean CRPS of a normal distribution around the last price with the volatility that the rule before had.
    normal: f64,
}

/// Rows of every step, then that of all.
fn measured(market: &Market, report: &Report, origins: &[usize], options: &PipelineOptions) -> Result<Vec<Row>> {
    let naive = walk::reference(report)?;
    let step = |step: usize| of_step(market, naive, origins, (step, options.horizon, options.level));
    let mut rows: Vec<Row> = (1..=options.horizon).into_par_iter().map(step).collect();
    let mut all = Row { step: None, ours: Sums::default(), before: Sums::default(), crps: None, normal: 0.0 };
    for row in &rows {
        all.ours.merge(&row.ours);
        all.before.merge(&row.before);
        all.normal += row.normal / options.horizon as f64;
    }
    all.crps = naive.metrics.price().and_then(|metrics| metrics.crps);
    rows.push(all);
    Ok(rows)
}

fn of_step(
    market: &Market,
    naive: &ModelReport,
    origins: &[usize],
    (step, horizon, level): (usize, usize, f64),
) -> Row {
    let (close, forecasts) = (market.log_close(), &naive.forecasts);
    let half_widths = before::half_widths(market, origins, step, level);
    let (mut ours, mut before, mut normal) = (Sums::default(), Sums::default(), 0.0);
    for (told, &row) in forecasts.calibrated.chunks_exact(horizon).zip(&forecasts.rows) {
        let actual = close[row + step] - close[row];
        let tercile = usize::from(market.tercile()[row]);
        let told = &told[step - 1];
        ours.add((told.lower, told.upper), actual, tercile);
        let at = origins.binary_search(&row).expect("what is scored is an origin of the plan");
        before.add((-half_widths[at], half_widths[at]), actual, tercile);
        normal += normal_crps(before::scale(market, row, step), actual);
    }
    let crps = naive.per_horizon.iter().find(|s| s.step == step).and_then(|s| s.crps);
    Row { step: Some(step), ours, before, crps, normal: normal / ours.n }
}

/// The rows that are told of one coin.
fn told(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter().filter(|row| row.step.is_none_or(|step| STEPS.contains(&step)))
}

fn name(step: Option<usize>) -> String {
    step.map_or_else(|| format!("1-{HORIZON}"), |step| step.to_string())
}

fn by_step(coins: &[(String, Vec<Row>)], level: f64) -> Table {
    let mut table = Table::new(&[
        "coin",
        "step",
        "coverage",
        "before",
        "worst tercile",
        "before",
        "width",
        "before",
        "ratio",
        "score",
        "before",
        "ratio",
        "CRPS",
        "normal",
        "ratio",
    ]);
    for (symbol, rows) in coins {
        for row in told(rows) {
            let (ours, before) = (&row.ours, &row.before);
            table.row(&[
                symbol.clone(),
                name(row.step),
                percent(Some(ours.coverage()), 1),
                percent(Some(before.coverage()), 1),
                percent(Some(ours.worst_tercile(level)), 1),
                percent(Some(before.worst_tercile(level)), 1),
                percent(Some(ours.width()), 2),
                percent(Some(before.width()), 2),
                number(Some(ours.width() / before.width()), 3),
                percent(Some(ours.score(level)), 2),
                percent(Some(before.score(level)), 2),
                number(Some(ours.score(level) / before.score(level)), 3),
                percent(row.crps, 3),
                percent(Some(row.normal), 3),
                number(row.crps.map(|crps| crps / row.normal), 3),
            ]);
        }
    }
    table
}

fn pooled(coins: &[(String, Vec<Row>)], level: f64) -> Table {
    let mut table = Table::new(&[
        "step",
        "coverage",
        "least",
        "most",
        "farthest tercile",
        "before",
        "width",
        "widest coin",
        "score",
        "worst coin",
        "CRPS",
        "worst coin",
    ]);
    let first: Vec<Option<usize>> =
        coins.first().map_or_else(Vec::new, |(_, rows)| told(rows).map(|r| r.step).collect());
    for step in first {
        let rows: Vec<&Row> = coins.iter().filter_map(|(_, rows)| rows.iter().find(|row| row.step == step)).collect();
        let values = |value: &dyn Fn(&Row) -> f64| -> Vec<f64> { rows.iter().map(|row| value(row)).collect() };
        let most = |values: &[f64]| values.iter().copied().reduce(f64::max);
        let miss = |sums: &Sums| (sums.worst_tercile(level) - level).abs();
        let coverage = values(&|row| row.ours.coverage());
        let width = values(&|row| row.ours.width() / row.before.width());
        let score = values(&|row| row.ours.score(level) / row.before.score(level));
        let crps = values(&|row| row.crps.unwrap_or(f64::NAN) / row.normal);
        table.row(&[
            name(step),
            percent(mean(&coverage), 2),
            percent(coverage.iter().copied().reduce(f64::min), 1),
            percent(most(&coverage), 1),
            percent(most(&values(&|row| miss(&row.ours))), 1),
            percent(most(&values(&|row| miss(&row.before))), 1),
            number(mean(&width), 3),
            number(most(&width), 3),
            number(mean(&score), 3),
            number(most(&score), 3),
            number(mean(&crps), 3),
            number(most(&crps), 3),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use candlecast_core::market::random_walk;
    use candlecast_core::{Seed, TimeRange, Timestamp};

    use super::*;

    #[test]
    fn our_figures_are_those_of_the_report() {
        let options = PipelineOptions { retrain_days: 30, ..PipelineOptions::new(3) };
        let series = random_walk(5_000, Seed(3), 0.0);
        let market = walk::market(&series, &options);
        let range = TimeRange { from: Timestamp(series.open_time()[3_500]), to: TimeRange::ALL.to };
        let report = walk::compared(&market, &[], &options, range).unwrap();
        let origins = walk::origins(&market, &walk::plan(&market, &options, range).unwrap(), options.horizon);
        let rows = measured(&market, &report, &origins, &options).unwrap();
        let naive = walk::reference(&report).unwrap();
        let close = |a: f64, b: Option<f64>| assert!((a - b.unwrap()).abs() < 1e-9, "{a} {b:?}");
        for (row, step) in rows.iter().zip(&naive.per_horizon) {
            assert_eq!(row.step, Some(step.step));
            close(row.ours.coverage(), step.coverage);
            close(row.ours.width(), step.interval_width);
            close(row.ours.score(0.9), step.interval_score);
            // Independent returns of one volatility: nobody has anything to find, and all say nearly the same.
            let (width, crps) = (row.ours.width() / row.before.width(), row.crps.unwrap() / row.normal);
            assert!((0.8..1.2).contains(&width) && (0.9..1.1).contains(&crps), "{row:?}");
            assert!((row.before.coverage() - 0.9).abs() < 0.04, "{row:?}");
        }
        let all = rows.last().unwrap();
        assert_eq!((rows.len(), all.step), (4, None));
        let metrics = naive.metrics.price().unwrap();
        close(all.ours.coverage(), metrics.coverage);
        close(all.ours.score(0.9), metrics.interval_score);
    }

    #[test]
    fn the_worst_tercile_is_the_farthest_from_the_level_on_either_side() {
        let mut sums = Sums::default();
        for k in 0..20 {
            sums.add((-1.0, 1.0), if k < 17 { 0.0 } else { 1.5 }, 0);
            sums.add((-1.0, 1.0), 0.5, 2);
        }
        assert!((sums.coverage() - 0.925).abs() < 1e-12);
        assert!((sums.worst_tercile(0.9) - 1.0).abs() < 1e-12 && (sums.worst_tercile(0.95) - 0.85).abs() < 1e-12);
        assert!((sums.score(0.9) - (2.0 + 20.0 * 1.5 / 40.0)).abs() < 1e-12);
    }
}
