//! [`SplitArgs`]: how `compare` and `backtest` split data in time.

use candlecast_core::{Interval, Problem, SeriesKey, TimeRange, Timestamp};
use candlecast_host::Host;
use candlecast_pipeline::{Method, PipelineOptions};
use clap::{Args, ValueEnum};

use crate::cli::time;
use crate::requests::RangeArgs;

const DAY_MS: i64 = 86_400_000;
/// Days of the default test range: at least and at most.
const TEST_DAYS: (i64, i64) = (30, 90);
/// Outcomes that do not overlap which the default test range is to have, as far as it may.
const TEST_OUTCOMES: usize = 30;
/// Days of the period that is cross-validated by default.
const CROSS_DAYS: i64 = 730;

/// How data are split in time.
#[derive(Debug, Clone, Args)]
pub(crate) struct SplitArgs {
    /// How data are split
    #[arg(long, value_enum, default_value = "walk-forward")]
    pub(crate) method: MethodArg,
    /// First instant of the origins (a date is 00:00 UTC) [default: the last 30 days, or as many more, up to 90, as 30
    /// outcomes that do not overlap need; of a cross-validation the last 730; before --to if that is given]
    #[arg(long, visible_alias = "test-start", value_parser = time, value_name = "TIME")]
    pub(crate) from: Option<Timestamp>,
    /// First instant after the origins [default: the end of the data]
    #[arg(long, visible_alias = "test-end", value_parser = time, value_name = "TIME")]
    pub(crate) to: Option<Timestamp>,
    /// First instant that any fit may learn from [default: the first candle]
    #[arg(long, value_parser = time, value_name = "TIME")]
    pub(crate) train_start: Option<Timestamp>,
    /// First instant that the first fit may not learn from, not later than --from [default: --from]; of a walk-forward the
    /// later fits learn up to their own time
    #[arg(long, value_parser = time, value_name = "TIME")]
    pub(crate) train_end: Option<Timestamp>,
    /// Folds of --method purged-k-fold [default: 5]
    #[arg(long, value_name = "N")]
    pub(crate) folds: Option<usize>,
    /// Groups of --method combinatorial [default: 6]
    #[arg(long, value_name = "N")]
    pub(crate) groups: Option<usize>,
    /// Groups that are tested at once by --method combinatorial [default: 2]
    #[arg(long, value_name = "K")]
    pub(crate) test_groups: Option<usize>,
    /// Candles behind a test group, beside the purge of one horizon, that a cross-validation does not learn from [default: 1
    /// % of the range]
    #[arg(long, value_name = "CANDLES")]
    pub(crate) embargo: Option<usize>,
}

/// How data are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MethodArg {
    /// One fit, one test part
    Simple,
    /// Refit every `--retrain-days` over the range
    WalkForward,
    /// For research: the range in folds, each tested by a fit on the others, before and after it
    PurgedKFold,
    /// For research: the range in groups, every choice of some of them tested by a fit on the others
    #[value(alias = "cpcv")]
    Combinatorial,
}

impl SplitArgs {
    /// The method over a stored series. Without `--from` the newest part of it is tested.
    pub(crate) async fn method(
        &self,
        app: &Host,
        key: &SeriesKey,
        common: &PipelineOptions,
    ) -> Result<Method, Problem> {
        self.check()?;
        let range = self.tested(app, key, common).await?;
        let embargo = self.embargo;
        Ok(match self.method {
            MethodArg::WalkForward => {
                let train = RangeArgs { from: self.train_start, to: self.train_end }.range();
                Method::WalkForward { range, train }
            }
            MethodArg::Simple => {
                let from = self.train_start.unwrap_or(TimeRange::ALL.from);
                let to = self.train_end.unwrap_or(range.from);
                Method::Simple { train: TimeRange { from, to }, test: range }
            }
            MethodArg::PurgedKFold => Method::PurgedKFold { range, folds: self.folds.unwrap_or(5), embargo },
            MethodArg::Combinatorial => {
                let (groups, test_groups) = (self.groups.unwrap_or(6), self.test_groups.unwrap_or(2));
                Method::Cpcv { range, groups, test_groups, embargo }
            }
        })
    }

    /// Refuses options of another method.
    fn check(&self) -> Result<(), Problem> {
        let cross = self.is_cross();
        let combinatorial = self.method == MethodArg::Combinatorial;
        let both = "--method purged-k-fold or combinatorial";
        let strangers = [
            ("folds", self.folds.is_some() && self.method != MethodArg::PurgedKFold, "--method purged-k-fold"),
            ("groups", self.groups.is_some() && !combinatorial, "--method combinatorial"),
            ("test-groups", self.test_groups.is_some() && !combinatorial, "--method combinatorial"),
            ("embargo", self.embargo.is_some() && !cross, both),
            ("train-start", self.train_start.is_some() && cross, "--method walk-forward or simple"),
            ("train-end", self.train_end.is_some() && cross, "--method walk-forward or simple"),
        ];
        match strangers.iter().find(|(_, is_wrong, _)| *is_wrong) {
            Some((option, _, method)) => Err(Problem::usage(
                "bad-method-option",
                option,
                format!(
                    "--{option} belongs to {method}; a cross-validation learns from the range around what it tests"
                ),
            )),
            None => Ok(()),
        }
    }

    fn is_cross(&self) -> bool {
        matches!(self.method, MethodArg::PurgedKFold | MethodArg::Combinatorial)
    }

    /// Open times of the origins.
    async fn tested(&self, app: &Host, key: &SeriesKey, common: &PipelineOptions) -> Result<TimeRange, Problem> {
        let mut range = RangeArgs { from: self.from, to: self.to }.range();
        if common.test_share.is_some() && (self.from.is_some() || self.is_cross()) {
            return Err(Problem::usage(
                "bad-test-share",
                "test-share",
                "--test-share is for a walk-forward or a simple split without --from: it stands in the place of the range",
            ));
        }
        if self.from.is_none()
            && let Some(stored) = app.store.coverage(key).await?.range
        {
            let end = range.to.min(stored.to);
            let length = match common.test_share {
                Some(share) => share_of(end.ms() - stored.from.ms(), share, key.interval),
                None if self.is_cross() => CROSS_DAYS * DAY_MS,
                None => default_days(common.horizon, key.interval) * DAY_MS,
            };
            range.from = stored.from.max(end.plus_ms(-length));
        }
        Ok(range)
    }
}

/// `share` of `ms`, in whole candles.
fn share_of(ms: i64, share: f64, interval: Interval) -> i64 {
    (ms as f64 * share / interval.ms() as f64).round() as i64 * interval.ms()
}

/// Days of a test range at the end of the data that has thirty outcomes over `horizon` steps which do not overlap: the
/// outcomes of its last `horizon` origins are not known.
fn default_days(horizon: usize, interval: Interval) -> i64 {
    let candles = (TEST_OUTCOMES * horizon + 1) as f64;
    ((candles / interval.per_day()).ceil() as i64).clamp(TEST_DAYS.0, TEST_DAYS.1)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        split: SplitArgs,
    }

    fn split(args: &[&str]) -> SplitArgs {
        Line::try_parse_from([&["compare"][..], args].concat()).unwrap().split
    }

    #[test]
    fn the_default_range_has_thirty_outcomes_where_ninety_days_are_enough() {
        let of = |horizon, interval| default_days(horizon, interval);
        assert_eq!([1, 6, 23, 24, 48, 71, 72, 288].map(|h| of(h, Interval::H1)), [30, 30, 30, 31, 61, 89, 90, 90]);
        assert_eq!(of(60, Interval::M1), 30);
    }

    #[test]
    fn a_share_of_the_data_is_whole_candles() {
        let hour = Interval::H1.ms();
        assert_eq!(share_of(1_000 * hour, 0.2, Interval::H1), 200 * hour);
        assert_eq!(share_of(1_001 * hour, 0.15, Interval::H1), 150 * hour);
    }

    #[test]
    fn dates_have_the_names_of_the_documents_too() {
        let ours = split(&["--from", "2023-01-01", "--to", "2023-02-01"]);
        let others = split(&["--test-start", "2023-01-01", "--test-end", "2023-02-01"]);
        assert_eq!((ours.from, ours.to), (others.from, others.to));
        assert!(ours.from.is_some() && ours.to.is_some());
        assert_eq!(split(&["--method", "cpcv"]).method, MethodArg::Combinatorial);
    }

    #[test]
    fn options_of_other_methods_are_refused() {
        let field = |args: &[&str]| split(args).check().map_err(|problem| problem.field.unwrap());
        assert_eq!(field(&["--folds", "4"]), Err("folds".into()));
        assert_eq!(field(&["--method", "combinatorial", "--folds", "4"]), Err("folds".into()));
        assert_eq!(field(&["--method", "purged-k-fold", "--groups", "4"]), Err("groups".into()));
        assert_eq!(field(&["--method", "simple", "--embargo", "4"]), Err("embargo".into()));
        assert_eq!(field(&["--method", "combinatorial", "--train-end", "2023-01-01"]), Err("train-end".into()));
        for right in [
            &["--train-start", "2022-01-01", "--train-end", "2023-01-01"][..],
            &["--method", "purged-k-fold", "--folds", "4", "--embargo", "0"],
            &["--method", "combinatorial", "--groups", "8", "--test-groups", "3", "--embargo", "24"],
        ] {
            assert_eq!(field(right), Ok(()));
        }
    }
}
