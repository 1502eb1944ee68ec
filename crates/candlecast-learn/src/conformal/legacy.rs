//! Calibration states as models of format 1 hold them.

use serde::Deserialize;

use super::factor::FactorState;
use super::pooled::PooledConfidence;
use super::tails::{self, Tails};
use super::{CalibrationState, STATES, StepState};
use crate::confidence::ConfidenceMap;
use crate::task::Task;

/// Calibration of one step: absolute scores, one miss rate for both sides.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OldStep {
    alpha: f64,
    scores: Vec<f32>,
    outcomes: Vec<(f32, bool)>,
    since_fit: usize,
    confidence: Option<ConfidenceMap>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OldState {
    level: f64,
    steps: Vec<OldStep>,
}

impl CalibrationState {
    /// What a state of format 1 is now. Its scores are absolute, so each is taken for as much below as above the mean, in
    /// every state of the market. Nothing is known of factors: the means stay what they were until there is evidence.
    /// `task` is what the model forecasts, `per_day` candles a day.
    pub fn from_format_1(value: &serde_json::Value, task: &Task, per_day: f64) -> Result<Self, String> {
        let old: OldState = serde_json::from_value(value.clone()).map_err(|e| format!("calibration: {e}"))?;
        if old.steps.len() != task.claims() {
            return Err(format!("calibration: {} steps of a forecast of {}", old.steps.len(), task.claims()));
        }
        let mut state = Self::new(old.level, task, per_day);
        state.power = 1.0;
        for (k, (step, old)) in state.steps.iter_mut().zip(old.steps).enumerate() {
            step.take_over(old, k + 1, state.pooled.as_mut(), per_day);
        }
        Ok(state)
    }
}

impl StepState {
    fn take_over(&mut self, old: OldStep, step: usize, pooled: Option<&mut PooledConfidence>, per_day: f64) {
        if self.states.len() == STATES {
            let side = (old.alpha / 2.0).clamp(1e-3, 0.5);
            let first = old.scores.len().saturating_sub(tails::WINDOW / 2);
            let mirrored = || old.scores[first..].iter().flat_map(|&score| [score, -score]);
            self.states = (0..STATES).map(|_| Tails::with(side, side, mirrored())).collect();
        }
        if self.factor.is_some() {
            self.factor = Some(FactorState::believing(1.0, step));
        }
        if let Some(pooled) = pooled {
            for (size, right) in old.outcomes {
                if step == 1 {
                    pooled.pass(per_day);
                }
                pooled.absorb(f64::from(size), step, right);
            }
        } else {
            self.outcomes = old.outcomes.into();
            self.since_fit = old.since_fit;
            self.confidence = old.confidence;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_old_state_keeps_its_means_and_about_its_widths() {
        let scores: Vec<f64> = (0..600).map(|i| f64::from(i) / 300.0).collect();
        let step =
            json!({"alpha": 0.1, "scores": scores, "outcomes": [[0.1, true]], "sinceFit": 3, "confidence": null});
        let old = json!({"level": 0.9, "steps": [step, step]});
        let task = Task::Price { horizon: 2 };
        let state = CalibrationState::from_format_1(&old, &task, 24.0).unwrap();
        assert!(state.is_sound(&task));
        assert_eq!(state.factors(), [1.0, 1.0]);
        let mut calibrator = super::super::Calibrator::new(task, state);
        let origin = super::super::Origin { row: 5, sigma: 0.01, tercile: 2 };
        let forecast = super::super::ForecastRow {
            means: &[0.001, 0.002],
            scales: &[0.02, 0.03],
            borders: None,
            confidences: &[],
        };
        let issued = calibrator.issue(origin, forecast, false);
        assert_eq!((issued[0].mean, issued[1].mean), (0.001, 0.002));
        assert!((issued[0].upper - 0.001 - 1.8 * 0.02).abs() < 2e-4, "{issued:?}");
        assert!(CalibrationState::from_format_1(&old, &Task::Price { horizon: 3 }, 24.0).is_err());
    }
}
