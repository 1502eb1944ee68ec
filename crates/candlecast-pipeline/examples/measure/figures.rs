//! Figures of price forecasts: coin by coin, pooled over coins, quarter by quarter.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use candlecast_core::Timestamp;
use candlecast_learn::significance::{VerdictCode, p_text};
use candlecast_learn::{Market, ModelReport, Report, TaskMetrics};

use crate::Result;
use crate::statistics::{mean, newey_west_t};
use crate::table::{Table, number, percent, signed};
use crate::walk;

/// Lags, beyond the step, of the variance of mean hit rates: a day, within which errors of a forecast are alike.
const EXTRA_LAGS: usize = 24;

/// Figures of one coin at one step, or over all steps.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    /// Candles ahead; `None` for all of them together.
    step: Option<usize>,
    /// Share of right directions, by the means before their factor.
    direction: Option<f64>,
    /// Pearson correlation of the means before their factor with the log returns; over all steps their average.
    correlation: Option<f64>,
    /// `1 - MAE / MAE of naive` of prices.
    price_skill: Option<f64>,
    /// The same of log returns.
    return_skill: Option<f64>,
    /// The same of log returns in units of `sigma_t sqrt(h)`.
    scaled_skill: Option<f64>,
    /// Share of outcomes inside the interval.
    coverage: Option<f64>,
    /// Mean factor on the means.
    factor: f64,
    verdict: String,
    /// The verdict.
    code: VerdictCode,
}

/// What was measured of one coin.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// The coin.
    pub(crate) symbol: String,
    /// Steps ahead of the forecasts.
    pub(crate) horizon: usize,
    /// Origins that are scored.
    pub(crate) origins: usize,
    /// By step, as far as asked for.
    pub(crate) steps: Vec<Figures>,
    /// Over all steps.
    pub(crate) all: Figures,
    /// By step: the open times (ms) of the origins whose forecast and outcome have a direction, and whether it was
    /// right.
    hits: BTreeMap<usize, Vec<(i64, bool)>>,
    /// Seconds of the fits together.
    pub(crate) fit_seconds: f64,
    /// Seconds of everything.
    pub(crate) seconds: f64,
}

impl Measured {
    /// What `report` says of the model that is no baseline, at those of `steps` that it forecasts.
    pub(crate) fn of(symbol: &str, market: &Market, report: &Report, steps: &[usize], seconds: f64) -> Result<Self> {
        let (model, horizon) = (walk::asked(report)?, report.horizon);
        let steps: Vec<usize> = steps.iter().copied().filter(|&step| step <= horizon).collect();
        let hits = steps.iter().map(|&step| (step, hits(market, model, horizon, step))).collect();
        let all = over_all(market, model, horizon)?;
        let of_step = |&step: &usize| at_step(market, report, model, step);
        Ok(Self {
            symbol: symbol.into(),
            horizon,
            origins: report.origins,
            steps: steps.iter().map(of_step).collect::<Result<_>>()?,
            all,
            hits,
            fit_seconds: model.fit_seconds,
            seconds,
        })
    }
}

impl Figures {
    /// True when the model is called better than naive.
    pub(crate) fn is_better(&self) -> bool {
        self.code == VerdictCode::Better
    }

    /// Share of right directions.
    pub(crate) fn direction(&self) -> Option<f64> {
        self.direction
    }

    /// `1 - MAE / MAE of naive` of prices.
    pub(crate) fn price_skill(&self) -> Option<f64> {
        self.price_skill
    }

    /// Cells of [`HEADS`].
    fn cells(&self) -> Vec<String> {
        vec![
            percent(self.direction, 2),
            number(self.correlation, 4),
            signed(self.price_skill, 3),
            signed(self.return_skill, 3),
            signed(self.scaled_skill, 3),
            percent(self.coverage, 1),
            number(Some(self.factor), 2),
            self.verdict.clone(),
        ]
    }
}

/// Heads of the columns of [`Figures::cells`].
const HEADS: [&str; 8] =
    ["direction", "IC", "price skill", "return skill", "skill in units", "coverage", "mean factor", "verdict"];

/// Every coin at its steps and over all of them.
pub(crate) fn by_step(coins: &[&Measured]) -> Table {
    let mut table = Table::new(&[&["coin", "step"][..], &HEADS[..]].concat());
    for coin in coins {
        for figures in coin.steps.iter().chain([&coin.all]) {
            let step = figures.step.map_or_else(|| format!("1-{}", coin.horizon), |step| step.to_string());
            table.row(&[vec![coin.symbol.clone(), step], figures.cells()].concat());
        }
    }
    table
}

/// Every coin over all steps, one row a run.
pub(crate) fn overall(runs: &[&Measured]) -> Table {
    let mut table = Table::new(&[&["coin", "horizon"][..], &HEADS[..], &["at the last step"][..]].concat());
    for run in runs {
        let last = run.steps.last().map_or_else(|| "-".into(), |figures| figures.verdict.clone());
        table.row(&[vec![run.symbol.clone(), run.horizon.to_string()], run.all.cells(), vec![last]].concat());
    }
    table
}

/// Every step over all coins: means of the coins' figures, the worst coin, and the t-value of the mean direction with
/// the hours as clusters.
pub(crate) fn pooled(coins: &[&Measured]) -> Table {
    let mut table = Table::new(&[
        "step",
        "direction",
        "t by hour",
        "IC",
        "price skill",
        "worst coin",
        "return skill",
        "worst coin",
        "skill in units",
        "coverage",
        "better than naive",
    ]);
    let steps: Vec<usize> = coins.first().map_or_else(Vec::new, |coin| coin.hits.keys().copied().collect());
    for step in steps {
        let of_step: Vec<&Figures> =
            coins.iter().filter_map(|coin| coin.steps.iter().find(|figures| figures.step == Some(step))).collect();
        let values = |value: fn(&Figures) -> Option<f64>| -> Vec<f64> {
            of_step.iter().filter_map(|figures| value(figures)).collect()
        };
        let worst = |value: fn(&Figures) -> Option<f64>| values(value).into_iter().reduce(f64::min);
        let excess: Vec<f64> = excess_by_hour(coins, step).into_iter().map(|(_, excess)| excess).collect();
        let better = of_step.iter().filter(|figures| figures.is_better()).count();
        table.row(&[
            step.to_string(),
            percent(mean(&values(|f| f.direction)), 2),
            number(newey_west_t(&excess, step + EXTRA_LAGS), 1),
            number(mean(&values(|f| f.correlation)), 4),
            signed(mean(&values(|f| f.price_skill)), 3),
            signed(worst(|f| f.price_skill), 3),
            signed(mean(&values(|f| f.return_skill)), 3),
            signed(worst(|f| f.return_skill), 3),
            signed(mean(&values(|f| f.scaled_skill)), 3),
            percent(mean(&values(|f| f.coverage)), 1),
            format!("{better} of {}", of_step.len()),
        ]);
    }
    table
}

/// Directions over `step` steps, quarter by quarter: hour by hour averaged over the coins.
pub(crate) fn quarters(coins: &[&Measured], step: usize) -> Table {
    let mut by_quarter: BTreeMap<(i16, i8), Vec<f64>> = BTreeMap::new();
    for (time, excess) in excess_by_hour(coins, step) {
        let date = Timestamp(time).civil();
        by_quarter.entry((date.year(), (date.month() - 1) / 3 + 1)).or_default().push(excess);
    }
    let mut table = Table::new(&["quarter", "hours", "direction", "t by hour"]);
    for ((year, quarter), excess) in by_quarter {
        table.row(&[
            format!("{year} Q{quarter}"),
            excess.len().to_string(),
            percent(mean(&excess).map(|mean| 0.5 + mean), 2),
            number(newey_west_t(&excess, step + EXTRA_LAGS), 1),
        ]);
    }
    table
}

/// Hit rates of each hour less one half, averaged over the coins that have a direction there, in time order.
fn excess_by_hour(coins: &[&Measured], step: usize) -> Vec<(i64, f64)> {
    let mut hours: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for &(time, is_hit) in coins.iter().filter_map(|coin| coin.hits.get(&step)).flatten() {
        let sums = hours.entry(time).or_default();
        sums.0 += f64::from(u8::from(is_hit));
        sums.1 += 1.0;
    }
    hours.into_iter().map(|(time, (hits, n))| (time, hits / n - 0.5)).collect()
}

fn over_all(market: &Market, model: &ModelReport, horizon: usize) -> Result<Figures> {
    let TaskMetrics::Price(metrics) = &model.metrics else { return Err("these are figures of prices".into()) };
    let (return_skill, _) = skills(market, model, horizon, 1..=horizon);
    let factors: Vec<f64> = model.per_horizon.iter().map(|step| step.factor).collect();
    Ok(Figures {
        step: None,
        direction: metrics.directional_accuracy,
        correlation: metrics.information_coefficient,
        price_skill: model.skill,
        return_skill,
        scaled_skill: metrics.skill_scaled,
        coverage: metrics.coverage,
        factor: mean(&factors).unwrap_or(f64::NAN),
        verdict: model.vs_reference.verdict.clone(),
        code: model.vs_reference.code,
    })
}

fn at_step(market: &Market, report: &Report, model: &ModelReport, step: usize) -> Result<Figures> {
    let find = |model: &ModelReport| model.per_horizon.iter().find(|s| s.step == step).copied();
    let own = find(model).ok_or_else(|| format!("{} has no step {step}", model.name))?;
    let naive = find(walk::reference(report)?).and_then(|s| s.mae).filter(|&mae| mae > 0.0);
    let (return_skill, scaled_skill) = skills(market, model, report.horizon, step..=step);
    let p = own.p_value.map_or_else(|| "not tested".into(), p_text);
    Ok(Figures {
        step: Some(step),
        direction: own.directional_accuracy,
        correlation: own.information_coefficient,
        price_skill: own.mae.zip(naive).map(|(own, naive)| 1.0 - own / naive),
        return_skill,
        scaled_skill,
        coverage: own.coverage,
        factor: own.factor,
        verdict: format!("{} ({p})", own.verdict.as_str()),
        code: own.verdict,
    })
}

/// Skill of absolute errors of log returns at `steps` over the forecast of no change: as they are, and in units of
/// `sigma_t sqrt(h)`.
fn skills(
    market: &Market,
    model: &ModelReport,
    horizon: usize,
    steps: RangeInclusive<usize>,
) -> (Option<f64>, Option<f64>) {
    let (close, sigma) = (market.log_close(), market.sigma());
    // Sums of errors of the model and of no change.
    let (mut plain, mut scaled) = ((0.0, 0.0), (0.0, 0.0));
    for (told, &row) in model.forecasts.calibrated.chunks_exact(horizon).zip(&model.forecasts.rows) {
        for step in steps.clone() {
            let actual = close[row + step] - close[row];
            let error = (told[step - 1].mean - actual).abs();
            let unit = sigma[row] * (step as f64).sqrt();
            plain = (plain.0 + error, plain.1 + actual.abs());
            scaled = (scaled.0 + error / unit, scaled.1 + actual.abs() / unit);
        }
    }
    let skill = |(ours, naive): (f64, f64)| (naive > 0.0).then(|| 1.0 - ours / naive);
    (skill(plain), skill(scaled))
}

fn hits(market: &Market, model: &ModelReport, horizon: usize, step: usize) -> Vec<(i64, bool)> {
    let (close, open_time) = (market.log_close(), &market.series().columns().open_time);
    let hit = |(means, &row): (&[f64], &usize)| {
        let (mean, actual) = (means[step - 1], close[row + step] - close[row]);
        (mean != 0.0 && actual != 0.0).then_some((open_time[row], (mean > 0.0) == (actual > 0.0)))
    };
    model.forecasts.means.chunks_exact(horizon).zip(&model.forecasts.rows).filter_map(hit).collect()
}

#[cfg(test)]
mod tests {
    use candlecast_core::market::random_walk;
    use candlecast_core::{Seed, TimeRange};
    use candlecast_pipeline::PipelineOptions;

    use super::*;

    fn measured(horizon: usize, steps: &[usize]) -> (Report, Measured) {
        let options = PipelineOptions { retrain_days: 20, ..PipelineOptions::new(horizon) };
        let series = random_walk(5_000, Seed(8), 0.5);
        let market = walk::market(&series, &options);
        let from = Timestamp(series.open_time()[3_400]);
        let range = TimeRange { from, to: TimeRange::ALL.to };
        let report = walk::compared(&market, &[walk::request("linear")], &options, range).unwrap();
        let measured = Measured::of("WALK", &market, &report, steps, 1.0).unwrap();
        (report, measured)
    }

    fn close(a: Option<f64>, b: Option<f64>) {
        assert!((a.unwrap() - b.unwrap()).abs() < 1e-9, "{a:?} {b:?}");
    }

    #[test]
    fn figures_of_one_step_are_those_that_the_report_has_over_all() {
        let (report, measured) = measured(1, &[1, 4]);
        let model = walk::asked(&report).unwrap();
        let [step] = measured.steps.as_slice() else { panic!("one step of one") };
        close(step.price_skill, model.skill);
        close(step.scaled_skill, measured.all.scaled_skill);
        close(step.return_skill, measured.all.return_skill);
        close(step.correlation, measured.all.correlation);
        assert!(measured.all.is_better() && step.price_skill.unwrap() > 0.0, "{measured:?}");
    }

    #[test]
    fn hits_are_those_that_the_report_counts() {
        let (report, measured) = measured(3, &[1, 3, 24]);
        assert_eq!(measured.steps.iter().map(|s| s.step).collect::<Vec<_>>(), [Some(1), Some(3)]);
        for (figures, hits) in measured.steps.iter().zip(measured.hits.values()) {
            let right = hits.iter().filter(|(_, is_hit)| *is_hit).count();
            close(figures.direction, Some(right as f64 / hits.len() as f64));
        }
        assert_eq!(measured.origins, report.origins);
        // Two equal coins are one: hour by hour they agree.
        let (one, two) = (excess_by_hour(&[&measured], 1), excess_by_hour(&[&measured, &measured], 1));
        assert!(one == two && one.len() == measured.hits[&1].len());
    }

    #[test]
    fn hours_are_clusters_and_quarters_their_means() {
        let (_, mut a) = measured(1, &[1]);
        let start = Timestamp::parse("2023-03-31 22:00:00").unwrap().ms();
        let hour = |k: i64| start + k * 3_600_000;
        a.hits = [(1, vec![(hour(0), true), (hour(1), false), (hour(2), true)])].into();
        let mut b = a.clone();
        b.hits = [(1, vec![(hour(0), false), (hour(2), true), (hour(3), true)])].into();
        let excess = excess_by_hour(&[&a, &b], 1);
        assert_eq!(excess, [(hour(0), 0.0), (hour(1), -0.5), (hour(2), 0.5), (hour(3), 0.5)]);
        let table = quarters(&[&a, &b], 1).to_string();
        assert!(table.contains("| 2023 Q1 | 2 | 25.00 % |") && table.contains("| 2023 Q2 | 2 | 100.00 % |"), "{table}");
    }
}
