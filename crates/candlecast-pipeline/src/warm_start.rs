//! [`WarmStart`]: a saved model that the fit of the next one begins with.

use candlecast_core::{Problem, Timestamp};
use candlecast_learn::{PipelineState, Recipe};
use serde::{Deserialize, Serialize};

use crate::fingerprint::feature_versions;

/// A saved model that a fit begins with.
///
/// What it has learnt from, the new model has learnt from: it may begin only where that is no later than what the new
/// model is allowed to see, and its weights mean something only for the features, the scaling and the targets that they
/// were fitted to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WarmStart {
    /// Id in the registry.
    pub id: String,
    /// Version.
    pub version: String,
    /// Features that it was trained on, each with the version of its definition.
    pub features: Vec<(String, u32)>,
    /// Close of the last candle that it, or what it began with, has learnt from.
    pub trained_to: Timestamp,
    /// The fitted pipeline.
    pub state: PipelineState,
}

impl WarmStart {
    /// The problem of a warm start of `model` that cannot be made, and why.
    pub fn refused(model: &str, why: &str) -> Problem {
        Problem::usage("bad-warm-start", "warm-start", format!("warm start of {model}: {why}"))
    }

    /// Refuses to begin a fit of `recipe` that learns from candles up to `end`, its last close, where the weights are of
    /// something else or have seen later candles.
    pub(crate) fn check(&self, recipe: &Recipe, end: Timestamp) -> Result<(), Problem> {
        let Recipe::Pipeline(own) = recipe else {
            let why = "what is to be fitted is made of models, which are fitted afresh: leave out --warm-start";
            return Err(Self::refused(&self.state.config.model, why));
        };
        let (version, given) = (&self.version, &self.state.config);
        let refused = |why: String| Err(Self::refused(&own.model, &why));
        if given.params != own.params {
            return refused(format!(
                "version {version} was trained with the parameters {}: give the same ones, or leave out --warm-start",
                given.params
            ));
        }
        if given.task.horizon() != own.task.horizon() {
            return refused(format!(
                "version {version} forecasts {} steps and not {}: give the same --horizon, or leave out --warm-start",
                given.task.horizon(),
                own.task.horizon()
            ));
        }
        if given.task != own.task {
            return refused(format!(
                "version {version} was trained on other classes: give the same --task and --labels, or leave out --warm-start"
            ));
        }
        let features = feature_versions(recipe)?;
        if given.features != own.features || self.features != features {
            return refused(format!(
                "version {version} was trained on {}: give the same --features, or leave out --warm-start",
                self.other_features(&features)
            ));
        }
        if (given.scaler, given.clip) != (own.scaler, own.clip) {
            return refused(format!(
                "version {version} scales its features otherwise: give the same --scaler, or leave out --warm-start"
            ));
        }
        if self.trained_to > end {
            return refused(format!(
                "{} has learnt from candles up to {}, which is after the end of this training, {end}: a model that begins with it would be scored on candles that it has seen; train to {} or later, or leave out --warm-start",
                self.id, self.trained_to, self.trained_to
            ));
        }
        Ok(())
    }

    /// What is different about its features, beside `own`.
    fn other_features(&self, own: &[(String, u32)]) -> String {
        let missing = self.features.iter().find(|feature| !own.contains(feature));
        match missing {
            Some((id, _)) if own.iter().any(|(other, _)| other == id) => format!("another definition of {id}"),
            Some((id, _)) => format!("other features, {id} among them"),
            None => "other features, or in another order".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::FeatureSet;
    use candlecast_learn::{
        FittedScaler, Labels, ModelState, PipelineConfig, ScalerKind, Task, Thresholds, TrainWindow,
    };
    use serde_json::json;

    use super::*;

    const END: Timestamp = Timestamp(1_700_000_000_000);

    fn config() -> PipelineConfig {
        PipelineConfig {
            model: "gbdt".into(),
            params: json!({ "rounds": 20 }),
            features: FeatureSet::of(&["log_return_1", "rsi_14"]),
            scaler: ScalerKind::None,
            clip: None,
            max_fill: 3,
            task: Task::Direction { horizon: 24, labels: Labels::Fixed { threshold: 0.01 } },
            level: 0.9,
            window: TrainWindow::Expanding,
            retrain_days: 7,
            valid_share: 0.15,
            min_candles: 1_000,
            bag: None,
        }
    }

    fn start() -> WarmStart {
        let state = PipelineState {
            config: config(),
            lookback: 1,
            scaler: FittedScaler {
                kind: ScalerKind::None,
                keep: vec![0, 1],
                center: vec![0.0; 2],
                scale: vec![1.0; 2],
                clip: None,
                dropped: vec![],
            },
            thresholds: Thresholds::fit(Labels::Fixed { threshold: 0.01 }, &[]),
            scales: std::collections::BTreeMap::default(),
            model: ModelState::default(),
        };
        WarmStart {
            id: "BTCUSDT_GBDT_1h_direction_1.2.0".into(),
            version: "1.2.0".into(),
            features: feature_versions(&Recipe::Pipeline(config())).unwrap(),
            trained_to: END,
            state,
        }
    }

    #[test]
    fn a_start_of_the_same_configuration_and_no_later_candles_may_begin() {
        assert_eq!(start().check(&Recipe::Pipeline(config()), END), Ok(()));
        // How much is learnt from, and how often, changes nothing about what weights mean.
        let wider = PipelineConfig { window: TrainWindow::Rolling { days: 90 }, retrain_days: 30, ..config() };
        assert_eq!(start().check(&Recipe::Pipeline(wider), END.plus_ms(1)), Ok(()));
    }

    #[test]
    fn weights_that_have_seen_later_candles_are_refused_with_what_to_do() {
        let earlier = END.plus_ms(-3_600_000);
        let refused = start().check(&Recipe::Pipeline(config()), earlier).unwrap_err();
        assert_eq!(
            (refused.code, refused.field.as_deref(), refused.exit_code()),
            ("bad-warm-start", Some("warm-start"), 2)
        );
        for part in
            ["BTCUSDT_GBDT_1h_direction_1.2.0", &END.to_string(), &earlier.to_string(), "leave out --warm-start"]
        {
            assert!(refused.detail.contains(part), "{part}: {refused}");
        }
    }

    #[test]
    fn weights_of_something_else_are_refused_by_what_differs() {
        let labels = |threshold| Task::Direction { horizon: 24, labels: Labels::Fixed { threshold } };
        let others = [
            (PipelineConfig { params: json!({ "rounds": 30 }), ..config() }, "the parameters {\"rounds\":20}"),
            (PipelineConfig { task: Task::Volatility { horizon: 36 }, ..config() }, "24 steps and not 36"),
            (PipelineConfig { task: labels(0.02), ..config() }, "other classes"),
            (PipelineConfig { features: FeatureSet::of(&["log_return_1", "rsi_21"]), ..config() }, "rsi_14 among them"),
            (PipelineConfig { features: FeatureSet::of(&["rsi_14", "log_return_1"]), ..config() }, "in another order"),
            (PipelineConfig { scaler: ScalerKind::Robust, clip: Some(10.0), ..config() }, "--scaler"),
        ];
        for (other, words) in others {
            let refused = start().check(&Recipe::Pipeline(other), END).unwrap_err();
            assert!(refused.code == "bad-warm-start" && refused.detail.contains(words), "{words}: {refused}");
        }
        let mut redefined = start();
        redefined.features[1].1 += 1;
        let refused = redefined.check(&Recipe::Pipeline(config()), END).unwrap_err();
        assert!(refused.detail.contains("another definition of rsi_14"), "{refused}");
    }
}
