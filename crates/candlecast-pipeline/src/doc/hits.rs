//! How often directions were right: parts of the documents of reports, saved models and the prediction log.

use candlecast_core::Timestamp;
use candlecast_learn::{HitRate, Selected};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Share of right directions or classes over a span of time, with its 90 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HitRateDoc {
    /// Open of the first origin's candle.
    pub from: Timestamp,
    /// Close of the last origin's candle.
    pub to: Timestamp,
    /// Share of right ones.
    pub rate: f64,
    /// Lower end of the interval; `None` with too few origins.
    pub lower: Option<f64>,
    /// Upper end of the interval.
    pub upper: Option<f64>,
    /// Origins with a direction.
    pub origins: usize,
}

impl From<HitRate> for HitRateDoc {
    fn from(h: HitRate) -> Self {
        let HitRate { from, to, rate, interval, origins, .. } = h;
        Self { from, to, rate, lower: interval.map(|i| i.0), upper: interval.map(|i| i.1), origins }
    }
}

impl HitRateDoc {
    /// The recent one in the metrics that a model was saved with ([`scored_metrics_value`](super::scored_metrics_value));
    /// `None` where there is none, as with models saved by older programs.
    pub fn of_metrics(metrics: &Value) -> Option<Self> {
        serde_json::from_value(metrics.get("recentDirection")?.clone()).ok()
    }
}

/// How often forecasts were right whose confidence reached a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SelectedDoc {
    /// The threshold: as asked for, else the confidence that bounds the surest tenth.
    pub threshold: f64,
    /// True where it was asked for.
    #[serde(skip)]
    pub asked: bool,
    /// Share of the forecasts with a calibrated confidence that reach it, every step counted.
    pub share: f64,
    /// Share of right ones among them; `None` without any outcome.
    pub hit_rate: Option<f64>,
    /// Lower end of its 90 % interval; `None` with too few origins.
    pub lower: Option<f64>,
    /// Upper end of its interval.
    pub upper: Option<f64>,
    /// How many reach it.
    pub count: usize,
}

impl From<Selected> for SelectedDoc {
    fn from(s: Selected) -> Self {
        let interval = s.hits.and_then(|hits| hits.interval);
        Self {
            threshold: s.threshold,
            asked: s.asked,
            share: s.share,
            hit_rate: s.hits.map(|hits| hits.rate),
            lower: interval.map(|i| i.0),
            upper: interval.map(|i| i.1),
            count: s.count,
        }
    }
}

/// Share of the forecasts scored when a model was saved, of whose `metrics` these are, whose confidence is at least
/// `threshold`; `None` where that is not known, as with models saved by older programs.
pub fn pass_share(metrics: &Value, threshold: f64) -> Option<f64> {
    let quantiles: Option<Vec<f64>> =
        metrics.get("confidenceQuantiles")?.as_array()?.iter().map(Value::as_f64).collect();
    candlecast_learn::pass_share(&quantiles?, threshold)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rate_comes_back_from_the_metrics_of_a_saved_model() {
        let rate = HitRate {
            from: Timestamp::year_start(2024),
            to: Timestamp::year_start(2025),
            origins: 40,
            hits: 5,
            directions: 9,
            rate: 5.0 / 9.0,
            interval: Some((0.4, 0.7)),
        };
        let doc = HitRateDoc::from(rate);
        assert_eq!((doc.rate, doc.lower, doc.upper, doc.origins), (5.0 / 9.0, Some(0.4), Some(0.7), 40));
        let metrics = json!({ "recentDirection": doc });
        assert_eq!(metrics["recentDirection"]["from"], "2024-01-01T00:00:00Z");
        assert_eq!(HitRateDoc::of_metrics(&metrics), Some(doc));
        for none in [json!({}), json!({ "recentDirection": null }), json!({ "recentDirection": { "rate": 1 } })] {
            assert_eq!(HitRateDoc::of_metrics(&none), None, "{none}");
        }
    }

    #[test]
    fn the_share_that_passes_is_known_where_quantiles_were_saved() {
        assert_eq!(pass_share(&json!({ "confidenceQuantiles": [0.5, 0.5, 0.75] }), 0.625), Some(0.25));
        for none in [json!({}), json!({ "confidenceQuantiles": [] }), json!({ "confidenceQuantiles": [0.5, "x"] })] {
            assert_eq!(pass_share(&none, 0.55), None, "{none}");
        }
    }

    #[test]
    fn whether_a_threshold_was_asked_for_is_no_field() {
        let selected = Selected { threshold: 0.6, asked: true, count: 3, share: 0.25, hits: None };
        assert_eq!(
            serde_json::to_value(SelectedDoc::from(selected)).unwrap(),
            json!({ "threshold": 0.6, "share": 0.25, "hitRate": null, "lower": null, "upper": null, "count": 3 })
        );
    }
}
