//! [`SavedEnsemble`]: an ensemble of models that are saved, of which nothing is trained but how they are combined.
//!
//! Weights, what is known of the members' confidence, and the calibration of the ensemble are learnt from the out-of-fold
//! forecasts that its members keep, from the origins that all of them have.

use std::collections::BTreeMap;

use candlecast_core::{Blame, Problem, Timestamp};
use candlecast_learn::walk_forward::Forecasts;
use candlecast_learn::{
    CalibrationState, Combine, CommonOrigins, FittedForecaster, Learnt, MIN_OUTCOMES, Market, Task,
};
use serde::{Deserialize, Serialize};

use crate::catalog::ENSEMBLE;
use crate::loaded_model::{LoadedModel, ModelIdentity};
use crate::saved_model::{OutOfFold, SavedModel};

/// Days from one fit of the ensemble to the next, among the out-of-fold forecasts that it learns from.
const REFIT_DAYS: f64 = 7.0;

/// Saved models as the members of one ensemble.
#[derive(Debug)]
pub struct SavedEnsemble {
    forecaster: FittedForecaster,
    /// Id and out-of-fold forecasts of each member.
    members: Vec<(String, Option<OutOfFold>)>,
    /// Close of the last candle that any of them learnt from.
    trained_to: Timestamp,
    is_learnt: bool,
}

/// What an ensemble of saved models has learnt from their out-of-fold forecasts. It is the same until a member changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnsembleKnowledge {
    learnt: Learnt,
    calibration: CalibrationState,
    /// Origins that all members have forecast from out of fold.
    pub common_origins: usize,
    /// What to know of it, for people.
    pub remarks: Vec<String>,
}

impl SavedEnsemble {
    /// Of `members`, each restored, combined by `combine`.
    pub fn of(members: Vec<(SavedModel, ModelIdentity)>, combine: Combine) -> Result<Self, Problem> {
        let is_learnt = combine.is_learnt();
        let mut restored = Vec::with_capacity(members.len());
        let mut kept = Vec::with_capacity(members.len());
        let mut trained_to = Timestamp(i64::MIN);
        for (saved, identity) in members {
            kept.push((identity.id.clone(), saved.out_of_fold.clone()));
            let model = LoadedModel::restore(saved, &identity)?;
            trained_to = trained_to.max(model.trained_to);
            restored.push(model.forecaster);
        }
        let names: Vec<&str> = kept.iter().map(|(id, _)| id.as_str()).collect();
        let forecaster = FittedForecaster::of_members(combine, restored).map_err(|why| {
            let told = format!("{} cannot be combined: {why}", names.join(", "));
            Problem::new("members-differ", 409, Blame::Data, told).with_field("members")
        })?;
        Ok(Self { forecaster, members: kept, trained_to, is_learnt })
    }

    /// What it forecasts: of prices as many steps as all members do.
    pub fn task(&self) -> Task {
        self.forecaster.task()
    }

    /// Learns from the out-of-fold forecasts of its members over `market`.
    pub fn learn(&self, market: &Market) -> Result<EnsembleKnowledge, Problem> {
        let (rows, members) = self.common(market);
        let per_day = market.series().key().interval.per_day();
        let origins = CommonOrigins {
            market,
            rows: &rows,
            members: &members,
            refit: ((REFIT_DAYS * per_day) as usize).max(1),
            known_to: market.series().first_row_from(self.trained_to),
        };
        let learnt = self.forecaster.learn_out_of_fold(&origins);
        let (learnt, calibration) =
            learnt.ok_or_else(|| Problem::data("corrupt-model", "an ensemble without members has nothing to learn"))?;
        let remarks = self.remarks(rows.len());
        Ok(EnsembleKnowledge { learnt, calibration, common_origins: rows.len(), remarks })
    }

    /// Rows of `market` that all members have forecast from out of fold, and the forecasts of each from there.
    fn common(&self, market: &Market) -> (Vec<usize>, Vec<Forecasts>) {
        let (series, task) = (market.series(), self.task());
        let step = series.key().interval.ms();
        let places: Vec<BTreeMap<i64, usize>> = self
            .members
            .iter()
            .map(|(_, kept)| {
                let origins = kept.iter().flat_map(|kept| kept.origins.iter().copied());
                origins.zip(0..).collect()
            })
            .collect();
        let mut rows = Vec::new();
        let mut members = vec![Forecasts::empty(task.width()); self.members.len()];
        let first = places.first().into_iter().flat_map(BTreeMap::keys);
        for &origin in first.filter(|origin| places.iter().all(|place| place.contains_key(*origin))) {
            let row = series.first_row_from(Timestamp(origin - step));
            let is_there = row < series.len() && series.close_time(row).ms() == origin && !series.filled()[row];
            if !is_there || !market.volatility()[row].is_finite() {
                continue;
            }
            rows.push(row);
            for ((out, place), (_, kept)) in members.iter_mut().zip(&places).zip(&self.members) {
                if let (Some(kept), Some(&i)) = (kept, place.get(&origin)) {
                    add(out, kept, i, task);
                }
            }
        }
        (rows, members)
    }

    fn remarks(&self, common: usize) -> Vec<String> {
        let without: Vec<&str> =
            self.members.iter().filter(|(_, kept)| kept.is_none()).map(|(id, _)| id.as_str()).collect();
        let mut remarks = Vec::new();
        if !without.is_empty() {
            remarks.push(format!("{} keep no out-of-fold forecasts: train them again", without.join(", ")));
        }
        if common < MIN_OUTCOMES {
            let weighed =
                if self.is_learnt { "its members are weighed equally and its confidence" } else { "its confidence" };
            remarks.push(format!(
                "the ensemble's members have {common} out-of-fold origins in common, and {MIN_OUTCOMES} are needed: {weighed} is not calibrated by them; train the members on the same candles"
            ));
        }
        remarks
    }

    /// As a model that forecasts by what it has learnt. `knowledge` is what [`SavedEnsemble::learn`] gave for the same
    /// members.
    pub fn knowing(self, knowledge: EnsembleKnowledge) -> Result<LoadedModel, Problem> {
        let stale = |why: String| Problem::data("corrupt-model", format!("what an ensemble has learnt: {why}"));
        let EnsembleKnowledge { learnt, calibration, .. } = knowledge;
        let task = self.task();
        if calibration.claims() != task.claims() || !calibration.is_sound(&task) {
            return Err(stale("its calibration is damaged".into()));
        }
        Ok(LoadedModel {
            id: String::new(),
            model: ENSEMBLE.into(),
            version: String::new(),
            forecaster: self.forecaster.with_learnt(learnt).map_err(stale)?,
            calibration,
            trained_to: self.trained_to,
            fell_back: None,
        })
    }
}

/// Adds forecast `i` of `kept` to `out`, over the steps of `task`.
fn add(out: &mut Forecasts, kept: &OutOfFold, i: usize, task: Task) {
    let values = i * kept.width..i * kept.width + task.width().min(kept.width);
    out.means.extend(kept.means[values.clone()].iter().map(|&mean| f64::from(mean)));
    out.scales.extend(kept.scales[values].iter().map(|&scale| f64::from(scale)));
    out.borders.extend(kept.borders.get(i).copied());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candlecast_core::market::random_walk;
    use candlecast_core::{CandleSeries, FeatureSet, FilledSeries, ModelRequest, NoProgress, Seed, TimeRange};
    use candlecast_learn::Votes;
    use candlecast_learn::walk_forward::NoHooks;
    use serde_json::json;

    use super::*;
    use crate::{Detail, MAX_FILL, PipelineOptions, Training, TrainingRequest, forecast_newest};

    fn walk() -> CandleSeries {
        random_walk(4_000, Seed(3), 0.4)
    }

    fn market(rows: usize) -> Arc<Market> {
        let series = CandleSeries::new(walk().key().clone(), walk().columns().slice(0..rows)).unwrap();
        Arc::new(Market::new(FilledSeries::new(&series, MAX_FILL)))
    }

    /// A model trained on the first `rows` candles, as its file has it.
    fn trained(id: &str, task: &str, horizon: usize, rows: usize) -> (SavedModel, ModelIdentity) {
        let common = PipelineOptions {
            task: task.into(),
            features: Some(FeatureSet::of(&["log_return_1", "hour_sin"])),
            ..PipelineOptions::new(horizon)
        };
        let params = if id == "gbdt" { json!({ "rounds": 5, "maxDepth": 2, "patience": 0 }) } else { json!({}) };
        let model = ModelRequest { id: id.into(), params };
        let request = TrainingRequest { model, common, range: TimeRange::ALL, seed: Seed(1) };
        let training = Training::new(vec![market(rows)], &request, vec![None], None, 1).unwrap();
        let mut fitted = training.run(&NoHooks, &NoProgress).unwrap();
        let identity = ModelIdentity {
            id: format!("WALKUSDT_{}_1.0.0", id.to_ascii_uppercase()),
            model: id.into(),
            task: task.into(),
            horizon,
            version: "1.0.0".into(),
            features: fitted.features,
        };
        (fitted.markets.remove(0).saved, identity)
    }

    fn pair(task: &str) -> Vec<(SavedModel, ModelIdentity)> {
        vec![trained("linear", task, 3, 3_000), trained("gbdt", task, 3, 3_200)]
    }

    #[test]
    fn it_learns_from_the_origins_that_all_members_have_and_forecasts() {
        for task in ["price", "direction", "volatility"] {
            let ensemble = SavedEnsemble::of(pair(task), Combine::Stacking).unwrap();
            let here = market(3_300);
            let knowledge = ensemble.learn(&here).unwrap();
            assert!(knowledge.common_origins > 1_000 && knowledge.remarks.is_empty(), "{task}: {knowledge:?}");
            // Candles that no member has learnt from teach it nothing.
            assert_eq!(ensemble.learn(&market(4_000)).unwrap(), knowledge, "{task}");
            let text = serde_json::to_string(&knowledge).unwrap();
            let read: EnsembleKnowledge = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), text, "{task}");
            // What is not written, scores in order, is made again: both tell the same, to the bit.
            let again = SavedEnsemble::of(pair(task), Combine::Stacking).unwrap();
            let last = here.series().close_time(here.series().len() - 1);
            let told =
                |model| format!("{:?}", forecast_newest(model, &here, last, &Detail::default()).unwrap().forecast);
            let unwritten = told(again.knowing(knowledge).unwrap());
            let reread = SavedEnsemble::of(pair(task), Combine::Stacking).unwrap().knowing(read.clone()).unwrap();
            assert_eq!(told(reread), unwritten, "{task}");
            let model = ensemble.knowing(read).unwrap();
            assert_eq!(model.trained_to, here.series().close_time(3_199));
            let weighing = model.forecaster.as_ensemble().unwrap().weighing();
            let neutral = if task == "price" { "naive" } else { "neutral" };
            assert_eq!(
                (weighing.members, weighing.by_state.len()),
                (vec!["linear".into(), "gbdt".into(), neutral.to_owned()], 6)
            );
            let now = here.series().close_time(here.series().len() - 1);
            let newest = forecast_newest(model, &here, now, &Detail::default()).unwrap();
            let opinion = newest.opinion.unwrap();
            assert_eq!((newest.forecast.origin, opinion.strategy), (now, "stacking"));
            let claim = opinion.claims.last().unwrap();
            assert!((claim.weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            assert_eq!(claim.consensus.is_some(), task != "volatility");
            assert_eq!(claim.agreement.is_some(), task != "direction");
        }
    }

    #[test]
    fn prices_reach_as_far_as_all_members_do_and_classes_must_be_the_same() {
        let of = |task: &str| vec![trained("linear", task, 3, 3_000), trained("gbdt", task, 5, 3_000)];
        let prices = SavedEnsemble::of(of("price"), Combine::Voting { votes: Votes::Confidence }).unwrap();
        assert_eq!(prices.task(), Task::Price { horizon: 3 });
        let here = market(3_100);
        let knowledge = prices.learn(&here).unwrap();
        let newest = forecast_newest(
            prices.knowing(knowledge).unwrap(),
            &here,
            here.series().close_time(3_099),
            &Detail::default(),
        );
        assert_eq!(newest.unwrap().forecast.steps().len(), 3);
        let classes = SavedEnsemble::of(of("direction"), Combine::Average).unwrap_err();
        assert_eq!((classes.code, classes.status), ("members-differ", 409));
    }

    #[test]
    fn without_common_origins_members_weigh_alike_and_a_remark_says_so() {
        let mut members = pair("price");
        members[0].0.out_of_fold = None;
        let ensemble = SavedEnsemble::of(members, Combine::Stacking).unwrap();
        let knowledge = ensemble.learn(&market(3_300)).unwrap();
        assert_eq!(knowledge.common_origins, 0);
        let [without, few] = &knowledge.remarks[..] else { panic!("{:?}", knowledge.remarks) };
        assert!(without.contains("WALKUSDT_LINEAR_1.0.0 keep no") && few.contains("0 out-of-fold origins in common"));
        let model = ensemble.knowing(knowledge).unwrap();
        let weighing = model.forecaster.as_ensemble().unwrap().weighing();
        assert_eq!((weighing.by_state, weighing.origins), (vec![vec![1.0 / 3.0; 3]], 0));
    }
}
