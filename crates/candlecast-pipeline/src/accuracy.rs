//! Rolling accuracy of the log: of prices by model and group of steps, the naive forecast beside it on the same
//! targets; of other tasks by model.

use std::collections::BTreeMap;

use candlecast_core::{Move, SeriesKey, TimeRange};
use candlecast_learn::significance::{Evidence, VerdictCode, holm, independent};
use candlecast_learn::{HitRate, Metrics};

mod direction;
mod group;
mod recent;
mod sums;
mod volatility;

pub use direction::{ConfidenceFigures, DirectionFigures, ScoredClass};
pub use sums::LogSums;
pub use volatility::{ScoredVolatility, VolatilityFigures};

use sums::PriceSums;

/// First steps of the groups that a horizon is looked at in, besides all of it. Sums of old predictions are kept by
/// group: with other groups, those would go on showing the ones that they were summed up in.
const GROUPS: [u32; 5] = [1, 2, 7, 25, 97];

/// The group that `step` is of, named by its first step.
fn group_of(step: u32) -> u32 {
    GROUPS.into_iter().rev().find(|&first| first <= step).unwrap_or(GROUPS[0])
}

/// How logged predictions did.
#[derive(Debug, Clone, PartialEq)]
pub struct Accuracy {
    /// From the first to behind the last target time; `None` without any validated prediction.
    pub range: Option<TimeRange>,
    /// True where only the newest predictions of the window were read, since there are too many.
    pub cut: bool,
    /// How many of the predictions were rolled up, so that only sums are left of them.
    pub rolled_up: u64,
    /// How many of these have their target in a day of which candles changed afterwards, so that their figures may rest
    /// on outcomes that were corrected since.
    pub corrected: u64,
    /// By model and series, in order.
    pub models: Vec<ModelAccuracy>,
}

/// How one model did on one series.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelAccuracy {
    /// The model.
    pub model_id: String,
    /// The series.
    pub series: SeriesKey,
    /// Of prices: all steps first, then groups of steps where there are several. Empty for other tasks.
    pub groups: Vec<GroupAccuracy>,
    /// Of another task: all predictions.
    pub whole: Option<TaskAccuracy>,
}

impl ModelAccuracy {
    /// `price`, `direction` or `volatility`.
    pub fn task(&self) -> &'static str {
        match self.whole.as_ref().map(|whole| &whole.figures) {
            None => "price",
            Some(TaskFigures::Direction(_)) => "direction",
            Some(TaskFigures::Volatility(_)) => "volatility",
        }
    }
}

/// How the predictions of a task without steps did: there is one for each origin.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskAccuracy {
    /// Candles that they reach ahead.
    pub step: u32,
    /// Predictions.
    pub n: usize,
    /// Outcomes that do not overlap.
    pub independent: usize,
    /// The figures.
    pub figures: TaskFigures,
    /// `none`, or `tooFew`. Nothing is tested: what the reference would have said at the time is not in the log.
    pub code: VerdictCode,
    /// What can be said of the model against the reference of its task, in words.
    pub verdict: String,
}

/// Figures by task.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "there is one a model")]
pub enum TaskFigures {
    /// Of classes.
    Direction(DirectionFigures),
    /// Of the volatility.
    Volatility(VolatilityFigures),
}

/// How the predictions of some steps did. The metrics have no `skill`, no `mase` and no correlation of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupAccuracy {
    /// First and last step that occur.
    pub steps: (u32, u32),
    /// Predictions.
    pub n: usize,
    /// Origins that they were made from.
    pub origins: usize,
    /// Outcomes that do not overlap.
    pub independent: usize,
    /// The model's metrics, without coverage.
    pub metrics: Metrics,
    /// Those of "the price stays" on the same targets.
    pub naive: Metrics,
    /// 1 - MAE / MAE of naive; `None` where naive made no error.
    pub skill: Option<f64>,
    /// Predictions with a direction, and an outcome with one.
    pub n_directional: usize,
    /// Share of right directions of the last three months; `None` without any direction.
    pub recent: Option<HitRate>,
    /// Share of outcomes within the interval; `None` without any interval.
    pub coverage: Option<f64>,
    /// Mean share that the intervals were to cover.
    pub level: Option<f64>,
    /// Predictions with an interval.
    pub n_intervals: usize,
    /// The test against naive; `None` with too few independent outcomes, or where all forecasts are of no change.
    pub test: Option<LiveTest>,
    /// Its p-value, Holm-corrected over everything in the answer that was tested.
    pub corrected: Option<f64>,
    /// The verdict.
    pub code: VerdictCode,
    /// In words.
    pub verdict: String,
}

/// An anytime-valid test of live forecasts against naive, on absolute errors of log returns in units of the root of the
/// step, averaged by origin ([`candlecast_learn::significance::interleaved`]). However often one has looked, the chance
/// that a model that is no better was ever called so is at most the level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiveTest {
    /// Evidence that the model is better, at the last outcome: expected to be at most 1 if it is not.
    pub e_value: f64,
    /// p-value that it is better: 1 over the largest e-value so far.
    pub p_value: f64,
    /// p-value that it is worse.
    pub worse: f64,
    /// Outcomes that counted: forecasts of no change, and those whose last step is not known yet, do not.
    pub outcomes: usize,
}

/// The validated predictions of a model on a series, by task.
#[derive(Debug, Clone, Default)]
pub struct ScoredLog {
    /// Of prices.
    pub price: Vec<Scored>,
    /// Of classes.
    pub direction: Vec<ScoredClass>,
    /// Of the volatility.
    pub volatility: Vec<ScoredVolatility>,
    /// The sums of those that were rolled up; none of them is among the above.
    pub rolled_up: LogSums,
}

impl ScoredLog {
    /// The sums over all of it.
    fn into_sums(self) -> LogSums {
        let Self { mut price, direction, volatility, rolled_up: mut sums } = self;
        price.sort_by_key(|s| (s.origin, s.step));
        price.iter().for_each(|scored| sums.add_price(scored));
        direction.iter().for_each(|scored| sums.add_class(scored));
        volatility.iter().for_each(|scored| sums.add_volatility(scored));
        sums
    }
}

/// A validated prediction of a price as accuracy needs it.
#[derive(Debug, Clone, Copy)]
pub struct Scored {
    /// Origin, ms.
    pub origin: i64,
    /// Candles ahead, from 1.
    pub step: u32,
    /// Price at the origin.
    pub base: f64,
    /// Price as predicted.
    pub prediction: f64,
    /// Direction as predicted, which may stand where the price stays; `None` where it was not logged, as by older
    /// programs: then it is that of the price.
    pub direction: Option<Move>,
    /// Price as it came.
    pub actual: f64,
    /// Lower bound, upper bound, level.
    pub interval: Option<(f64, f64, f64)>,
}

impl Scored {
    /// The direction that was predicted.
    pub fn direction(&self) -> Move {
        self.direction.unwrap_or_else(|| Move::of(self.prediction - self.base))
    }

    /// True when the direction was right; `None` where the prediction or the outcome has none.
    pub fn is_hit(&self) -> Option<bool> {
        let (said, came) = (self.direction(), Move::of(self.actual - self.base));
        (said != Move::None && came != Move::None).then_some(said == came)
    }
}

/// How the models did: `by_model` holds what is known of each.
pub fn accuracy(by_model: BTreeMap<(String, SeriesKey), ScoredLog>) -> Vec<ModelAccuracy> {
    let mut models: Vec<ModelAccuracy> =
        by_model.into_iter().flat_map(|((model_id, series), log)| by_task(&model_id, &series, log)).collect();
    judge(models.iter_mut().flat_map(|model| model.groups.iter_mut()).collect());
    models
}

/// How one model did, by the tasks that its predictions are of: as a rule one.
fn by_task(model_id: &str, series: &SeriesKey, log: ScoredLog) -> Vec<ModelAccuracy> {
    let step_ms = series.interval.ms();
    let LogSums { price, direction, volatility } = log.into_sums();
    let of = |groups: Vec<GroupAccuracy>, whole: Option<TaskAccuracy>| ModelAccuracy {
        model_id: model_id.to_owned(),
        series: series.clone(),
        groups,
        whole,
    };
    let mut found = Vec::new();
    if !price.is_empty() {
        found.push(of(groups(&price, step_ms), None));
    }
    let direction = direction.and_then(|sums| direction::accuracy(&sums, step_ms));
    let volatility = volatility.and_then(|sums| volatility::accuracy(&sums, step_ms));
    found.extend([direction, volatility].into_iter().flatten().map(|whole| of(Vec::new(), Some(whole))));
    found
}

/// The accuracy of a task without steps: of `n` predictions that reach `step` candles ahead of `origins`, ascending, ms.
/// `untold` says why the model cannot be set beside the reference.
fn of_task(n: usize, step: u32, origins: &[i64], step_ms: i64, figures: TaskFigures, untold: &str) -> TaskAccuracy {
    let independent = independent(origins, i64::from(step) * step_ms);
    let evidence = Evidence { better: None, worse: None, independent };
    let (code, verdict) = match evidence.code() {
        VerdictCode::TooFew => (VerdictCode::TooFew, evidence.words("")),
        code => (code, format!("cannot be told from the log: {untold}")),
    };
    TaskAccuracy { step, n, independent, figures, code, verdict }
}

/// All steps, then each group that occurs, unless it is all there is.
fn groups(price: &BTreeMap<u32, PriceSums>, step_ms: i64) -> Vec<GroupAccuracy> {
    let mut all = PriceSums::default();
    price.values().for_each(|group| all.merge(group));
    let of = |sums: &PriceSums| group::accuracy(sums, step_ms);
    let mut found: Vec<GroupAccuracy> = std::iter::once(&all).chain(price.values()).filter_map(of).collect();
    if found.len() == 2 {
        found.truncate(1);
    }
    found
}

/// Writes the verdicts. Whoever looks at many groups gets as many chances, so the p-values are corrected over all.
fn judge(groups: Vec<&mut GroupAccuracy>) {
    let corrected = holm(&groups.iter().map(|g| g.test.map(|t| t.p_value)).collect::<Vec<_>>());
    for (group, corrected) in groups.into_iter().zip(corrected) {
        let worse = group.test.map(|t| t.worse);
        let evidence = Evidence { better: corrected, worse, independent: group.independent };
        group.corrected = corrected;
        group.code = evidence.code();
        group.verdict = evidence.words("naive");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hourly forecasts of one step, `n` of them, each off by what `error` says in shares of the price.
    fn log(n: usize, error: impl Fn(usize) -> f64) -> Vec<Scored> {
        let outcome = |i: usize| 100.0 * (1.0 + 0.01 * if i.is_multiple_of(3) { -1.0 } else { 1.0 });
        (0..n)
            .map(|i| Scored {
                origin: i as i64 * 3_600_000,
                step: 1,
                base: 100.0,
                prediction: outcome(i) * (1.0 + error(i)),
                direction: None,
                actual: outcome(i),
                interval: None,
            })
            .collect()
    }

    fn judged(logs: &[(&str, Vec<Scored>)]) -> Vec<ModelAccuracy> {
        let key = SeriesKey::new(
            candlecast_core::Venue::binance(),
            candlecast_core::Symbol::new("BTCUSDT").unwrap(),
            candlecast_core::Interval::H1,
        );
        let logs = logs
            .iter()
            .map(|(name, log)| ((*name).to_owned(), ScoredLog { price: log.clone(), ..ScoredLog::default() }));
        accuracy(logs.map(|(name, log)| ((name, key.clone()), log)).collect())
    }

    #[test]
    fn few_outcomes_are_no_evidence_however_good() {
        let good = |i: usize| if i.is_multiple_of(2) { 0.001 } else { -0.002 };
        let models = judged(&[("few", log(29, good)), ("many", log(400, good))]);
        let (few, many) = (&models[0].groups[0], &models[1].groups[0]);
        assert_eq!((few.code, few.verdict.as_str()), (VerdictCode::TooFew, "too few to tell (29 independent)"));
        assert_eq!((few.test, few.corrected), (None, None));
        assert_eq!((many.code, many.verdict.as_str()), (VerdictCode::Better, "better than naive (p < 0.001)"));
    }

    #[test]
    fn forecasts_that_are_further_off_than_the_price_are_worse_than_naive() {
        let group = &judged(&[("off", log(400, |_| 0.03))])[0].groups[0];
        let test = group.test.unwrap();
        assert_eq!((test.p_value, test.outcomes, group.code), (1.0, 400, VerdictCode::Worse));
        assert!(test.worse < 1e-9 && test.e_value < 1e-3, "{test:?}");
        assert_eq!(group.verdict, "worse than naive (p < 0.001)");
    }

    #[test]
    fn what_is_tested_together_is_corrected_together() {
        // A little better than naive, with much noise.
        let noisy = || log(400, |i| 0.02 * (i * 37 % 11) as f64 / 11.0);
        let (alone, twice) = (judged(&[("a", noisy())]), judged(&[("a", noisy()), ("b", noisy())]));
        let p = alone[0].groups[0].test.unwrap().p_value;
        assert!((1e-9..0.05).contains(&p), "{p}");
        assert_eq!(alone[0].groups[0].corrected, Some(p));
        assert_eq!(twice.iter().map(|m| m.groups[0].corrected).collect::<Vec<_>>(), [Some(2.0 * p); 2]);
    }

    #[test]
    fn the_naive_forecast_itself_is_neither_better_nor_worse() {
        let naive: Vec<Scored> = log(100, |_| 0.0).iter().map(|s| Scored { prediction: s.base, ..*s }).collect();
        let group = &judged(&[("naive", naive)])[0].groups[0];
        assert_eq!((group.skill, group.n_directional), (Some(0.0), 0));
        assert_eq!((group.code, group.test), (VerdictCode::None, None));
        assert_eq!(group.verdict, "no evidence that it beats naive (nothing to test)");
    }

    #[test]
    fn a_direction_counts_where_the_price_was_left_where_it_is() {
        // Hours at which the price falls are those divisible by three.
        let said = |i: usize| match i % 4 {
            0 => Move::None,
            1 => Move::Up,
            _ => Move::Down,
        };
        let log: Vec<Scored> = log(400, |_| 0.0)
            .iter()
            .enumerate()
            .map(|(i, s)| Scored { prediction: s.base, direction: Some(said(i)), ..*s })
            .collect();
        let group = &judged(&[("m", log)])[0].groups[0];
        let directed: Vec<usize> = (0..400).filter(|i| i % 4 > 0).collect();
        let right = directed.iter().filter(|&&i| (said(i) == Move::Down) == i.is_multiple_of(3)).count();
        assert_eq!((group.n_directional, group.skill), (directed.len(), Some(0.0)));
        assert_eq!(group.metrics.directional_accuracy, Some(right as f64 / directed.len() as f64));
        assert_eq!(group.metrics.information_coefficient, None, "the log has no forecasts before their factor");
        let recent = group.recent.unwrap();
        assert_eq!((recent.hits, recent.directions, recent.origins), (right, directed.len(), directed.len()));
        assert!(recent.interval.is_some(), "{recent:?}");
    }

    #[test]
    fn steps_are_grouped_where_there_are_several() {
        let day: Vec<Scored> = (1..=24).map(|step| Scored { step, ..log(1, |_| 0.001)[0] }).collect();
        let model = &judged(&[("m", day)])[0];
        let shown: Vec<((u32, u32), usize)> = model.groups.iter().map(|g| (g.steps, g.n)).collect();
        assert_eq!(shown, [((1, 24), 24), ((1, 1), 1), ((2, 6), 5), ((7, 24), 18)]);
        assert_eq!(judged(&[("m", log(5, |_| 0.0))])[0].groups.len(), 1, "one step needs no groups");
        assert!(model.groups.iter().all(|g| g.origins == 1 && g.independent == 1));
        assert_eq!((model.task(), &model.whole), ("price", &None));
    }

    #[test]
    fn predictions_of_other_tasks_are_told_of_apart_and_leave_those_of_prices_as_they_are() {
        let price = log(40, |_| 0.001);
        let alone = judged(&[("m", price.clone())]);
        let classes: Vec<ScoredClass> = (0..35)
            .map(|i| ScoredClass {
                origin: i * 3_600_000,
                step: 1,
                class: candlecast_core::Action::Buy,
                actual: candlecast_core::Action::Hold,
                confidence: None,
            })
            .collect();
        let volatility: Vec<ScoredVolatility> = (0..3)
            .map(|i| ScoredVolatility {
                origin: i * 3_600_000,
                step: 2,
                prediction: 0.02,
                actual: 0.03,
                interval: None,
            })
            .collect();
        let key = alone[0].series.clone();
        let found = accuracy(BTreeMap::from([
            (("c".to_owned(), key.clone()), ScoredLog { direction: classes, ..ScoredLog::default() }),
            (("m".to_owned(), key.clone()), ScoredLog { price, ..ScoredLog::default() }),
            (("n".to_owned(), key.clone()), ScoredLog::default()),
            (("v".to_owned(), key), ScoredLog { volatility, ..ScoredLog::default() }),
        ]));
        let shown: Vec<(&str, &str)> = found.iter().map(|m| (m.model_id.as_str(), m.task())).collect();
        assert_eq!(shown, [("c", "direction"), ("m", "price"), ("v", "volatility")]);
        assert_eq!(found[1], alone[0]);
        let [classes, volatility] = [0, 2].map(|i| found[i].whole.as_ref().unwrap());
        assert_eq!((classes.step, classes.n, classes.independent), (1, 35, 35));
        assert!(classes.verdict.starts_with("cannot be told from the log: "), "{}", classes.verdict);
        assert_eq!((classes.code, volatility.code), (VerdictCode::None, VerdictCode::TooFew));
        assert_eq!((volatility.step, volatility.n, volatility.independent), (2, 3, 2));
        assert_eq!(volatility.verdict, "too few to tell (2 independent)");
        assert!(found[0].groups.is_empty() && found[2].groups.is_empty());
    }
}
