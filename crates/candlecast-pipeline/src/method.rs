//! [`Method`]: how an evaluation splits the data in time.

use candlecast_core::{ModelRequest, Problem, TimeRange, open_range};
use candlecast_learn::{CrossConfig, TrainWindow};
use serde::{Deserialize, Serialize};

use crate::catalog::{self, Part};
use crate::options::PipelineOptions;

/// How the data are split in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "kind", deny_unknown_fields)]
pub enum Method {
    /// Refits every `retrain_days` over the origins in the range.
    WalkForward {
        /// Origins.
        #[serde(with = "open_range")]
        range: TimeRange,
        /// From the earliest candle that any fit may learn from to the end of what the first one learns from.
        #[serde(default = "everything", with = "open_range", skip_serializing_if = "is_everything")]
        train: TimeRange,
    },
    /// One fit at the end of `train`, origins in `test`.
    Simple {
        /// Training part.
        #[serde(with = "open_range")]
        train: TimeRange,
        /// Test part.
        #[serde(with = "open_range")]
        test: TimeRange,
    },
    /// Purged k-fold, for research: each of the folds is tested by a fit on the others, before and after it.
    PurgedKFold {
        /// The period that is cut into folds.
        #[serde(with = "open_range")]
        range: TimeRange,
        /// Folds.
        folds: usize,
        /// Candles behind a fold that are not learnt from; 1 % of the period where none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        embargo: Option<usize>,
    },
    /// Combinatorial purged cross-validation, for research: every choice of `test_groups` of the groups is tested by a fit
    /// on the others.
    #[serde(alias = "combinatorial")]
    Cpcv {
        /// The period that is cut into groups.
        #[serde(with = "open_range")]
        range: TimeRange,
        /// Groups.
        groups: usize,
        /// Groups that are tested at once.
        test_groups: usize,
        /// Candles behind a group that are not learnt from; 1 % of the period where none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        embargo: Option<usize>,
    },
}

fn everything() -> TimeRange {
    TimeRange::ALL
}

fn is_everything(range: &TimeRange) -> bool {
    *range == TimeRange::ALL
}

impl Method {
    /// A walk-forward over the origins in `range` whose fits may learn from all that lies before them.
    pub fn walk_forward(range: TimeRange) -> Self {
        Self::WalkForward { range, train: TimeRange::ALL }
    }

    /// Its name, as in payloads and documents.
    pub fn id(&self) -> &'static str {
        match self {
            Self::WalkForward { .. } => "walk-forward",
            Self::Simple { .. } => "simple",
            Self::PurgedKFold { .. } => "purged-k-fold",
            Self::Cpcv { .. } => "cpcv",
        }
    }

    /// Open times of the origins that are scored, as asked for.
    pub fn tested(&self) -> TimeRange {
        match *self {
            Self::WalkForward { range, .. } | Self::PurgedKFold { range, .. } | Self::Cpcv { range, .. } => range,
            Self::Simple { test, .. } => test,
        }
    }

    /// How the period is cut, for a cross-validation: its fits have seen later candles than those that they forecast.
    pub fn cross(&self) -> Option<CrossConfig> {
        match *self {
            Self::PurgedKFold { folds, embargo, .. } => Some(CrossConfig { groups: folds, test_groups: 1, embargo }),
            Self::Cpcv { groups, test_groups, embargo, .. } => Some(CrossConfig { groups, test_groups, embargo }),
            Self::WalkForward { .. } | Self::Simple { .. } => None,
        }
    }

    /// Refuses what cannot be, and what `common` asks for that the method has no use for.
    pub fn check(&self, common: &PipelineOptions) -> Result<(), Problem> {
        let Some(cross) = self.cross() else { return Ok(()) };
        cross.check().map_err(|wrong| Problem::usage("bad-groups", "groups", wrong))?;
        if let TrainWindow::Rolling { .. } = common.window {
            return Err(Problem::usage(
                "bad-train-days",
                "train-days",
                format!(
                    "a {} learns from the whole period but what is tested: leave out --train-days and --window",
                    self.id()
                ),
            ));
        }
        Ok(())
    }

    /// Refuses models that it cannot fit: the fits of a cross-validation stand in no order of time, so an ensemble cannot
    /// learn in them how much to trust its members.
    pub fn check_models(&self, models: &[ModelRequest]) -> Result<(), Problem> {
        if self.cross().is_none() {
            return Ok(());
        }
        models.iter().try_for_each(|model| {
            let Part::Composite(composite) = catalog::part(&model.id)? else { return Ok(()) };
            let combine = (composite.combine)(&model.params, &(composite.members)(&model.params)?)?;
            if !combine.takes_chain() {
                return Ok(());
            }
            Err(Problem::usage(
                "bad-strategy",
                "strategy",
                format!(
                    "{} learns from earlier forecasts of its members, and a {} has none: give weights, let votes be equal, or take a walk-forward",
                    composite.id,
                    self.id()
                ),
            ))
        })
    }

    /// The window of its fits: those of a cross-validation learn from all of the period that is not tested.
    #[must_use]
    pub fn over(&self, common: &PipelineOptions) -> PipelineOptions {
        let window = if self.cross().is_some() { TrainWindow::Expanding } else { common.window };
        PipelineOptions { window, ..common.clone() }
    }

    /// What tells it from every other way to split, for fingerprints.
    pub(crate) fn how(&self) -> String {
        match self {
            // As it was before a training part could be named: the same run keeps its fingerprint.
            Self::WalkForward { range, train } if is_everything(train) => {
                format!("WalkForward {{ range: {range:?} }}")
            }
            other => format!("{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::Timestamp;
    use serde_json::json;

    use super::*;

    fn year(year: i32) -> TimeRange {
        TimeRange { from: Timestamp::year_start(year), to: Timestamp::year_start(year + 1) }
    }

    fn all() -> Vec<Method> {
        vec![
            Method::walk_forward(year(2023)),
            Method::WalkForward { range: year(2023), train: TimeRange { to: year(2022).to, ..TimeRange::ALL } },
            Method::WalkForward { range: year(2023), train: year(2022) },
            Method::Simple { train: year(2022), test: year(2023) },
            Method::PurgedKFold { range: year(2023), folds: 5, embargo: None },
            Method::Cpcv { range: year(2023), groups: 6, test_groups: 2, embargo: Some(24) },
        ]
    }

    #[test]
    fn methods_come_back_from_their_json_and_have_a_fingerprint_each() {
        let mut known = Vec::new();
        for method in all() {
            let value = serde_json::to_value(method).unwrap();
            assert_eq!((value["kind"].as_str(), method.tested()), (Some(method.id()), year(2023)));
            assert_eq!(serde_json::from_value::<Method>(value).unwrap(), method);
            assert!(!known.contains(&method.how()), "{method:?}");
            known.push(method.how());
        }
        let cpcv = serde_json::to_value(all()[5]).unwrap();
        assert_eq!((&cpcv["groups"], &cpcv["testGroups"], &cpcv["embargo"]), (&json!(6), &json!(2), &json!(24)));
        let mut other_name = cpcv.clone();
        other_name["kind"] = json!("combinatorial");
        assert_eq!(serde_json::from_value::<Method>(other_name).unwrap(), all()[5]);
    }

    #[test]
    fn a_walk_forward_without_a_training_part_is_written_as_it_always_was() {
        let value = serde_json::to_value(Method::walk_forward(TimeRange::ALL)).unwrap();
        assert_eq!(value, json!({ "kind": "walk-forward", "range": {} }));
        assert_eq!(serde_json::from_value::<Method>(value).unwrap(), Method::walk_forward(TimeRange::ALL));
        let how = Method::walk_forward(year(2023)).how();
        assert!(how.starts_with("WalkForward { range: TimeRange {") && how.ends_with("} }"), "{how}");
    }

    #[test]
    fn an_ensemble_that_learns_takes_a_walk_forward() {
        let check = |method: &Method, params: serde_json::Value| {
            method.check_models(&[ModelRequest { id: "ensemble".into(), params }]).map_err(|e| e.code)
        };
        let members = |strategy: &str| json!({ "members": "linear,hybrid", "strategy": strategy });
        let votes = json!({ "members": "linear,hybrid", "strategy": "voting", "votes": "confidence" });
        let auto = json!({ "members": "linear,hybrid", "weights": "auto" });
        for learns in [members("stacking"), votes, auto] {
            assert_eq!(check(&all()[0], learns.clone()), Ok(()));
            assert_eq!(check(&all()[4], learns.clone()), Err("bad-strategy"));
            assert_eq!(check(&all()[5], learns), Err("bad-strategy"));
        }
        for plain in [members("average"), members("weighted"), members("voting")] {
            assert_eq!(check(&all()[5], plain), Ok(()));
        }
        let other = ModelRequest { id: "linear".into(), params: json!({}) };
        assert_eq!(all()[5].check_models(&[other]), Ok(()));
    }

    #[test]
    fn what_cannot_be_cut_or_learnt_from_is_refused() {
        let common = PipelineOptions::new(6);
        let code = |method: &Method, common: &PipelineOptions| method.check(common).map_err(|e| e.code);
        assert!(all().iter().all(|method| code(method, &common) == Ok(())));
        let many = Method::Cpcv { range: TimeRange::ALL, groups: 20, test_groups: 10, embargo: None };
        assert_eq!(code(&many, &common), Err("bad-groups"));
        assert_eq!(
            code(&Method::PurgedKFold { range: TimeRange::ALL, folds: 2, embargo: None }, &common),
            Err("bad-groups")
        );
        let rolling = PipelineOptions { window: TrainWindow::Rolling { days: 60 }, ..PipelineOptions::new(6) };
        assert_eq!(code(&all()[4], &rolling), Err("bad-train-days"));
        assert_eq!(code(&all()[0], &rolling), Ok(()));
        assert_eq!(all()[4].over(&common).window, TrainWindow::Expanding);
        assert_eq!(all()[0].over(&common).window, TrainWindow::Own);
    }
}
