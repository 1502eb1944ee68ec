//! `predict`: a saved model, loaded in any process, forecasts from the last stored candle; or several saved models do,
//! combined ([`predict_with`]).

mod knowledge;
mod members;

use std::sync::Arc;

use candlecast_core::{Action, Blame, Forecast, Move, Outlook, Problem, Timestamp};
use candlecast_host::{Host, LOCAL, blocking};
use candlecast_learn::Market;
use candlecast_monitor::{MadeForecast, identity, load_serving, log_forecasts};
use candlecast_pipeline::doc::{EnsembleDoc, pass_share};
use candlecast_pipeline::{Detail, LoadedModel, Newest, forecast_newest, max_fill};
use candlecast_registry::{Family, Loaded, ModelManifest, RegistryError};

use crate::doc::EvidenceDoc;
use crate::models::is_stale;

pub use members::predict_with;

/// Confidence below which a forecast is no reason to do anything, where no other is asked for.
pub const CONFIDENCE_THRESHOLD: f64 = 0.5;

/// A forecast and where it comes from.
#[derive(Debug)]
pub struct Predicted {
    /// The forecast, cut to the horizon asked for and told as was asked for.
    pub forecast: Forecast,
    /// The same with the interval of the model's own level: what the prediction log keeps.
    pub issued: Forecast,
    /// The model; `None` of an ensemble of saved models that is not saved itself.
    pub manifest: Option<ModelManifest>,
    /// Kebab-case id of its type.
    pub model: String,
    /// When it was trained; of an ensemble of saved models the oldest of them.
    pub trained_at: Timestamp,
    /// What the members of an ensemble say beside each other at the last step that is told; `None` of other models.
    pub ensemble: Option<EnsembleDoc>,
    /// What else to know before the forecast is used, for people.
    pub remarks: Vec<String>,
    /// The rule regime at the origin and its confidence.
    pub regime: Option<(String, f64)>,
    /// When it was made.
    pub made_at: Timestamp,
    /// Close of the last candle that the model learnt from.
    pub trained_to: Timestamp,
    /// Why an older version answered, if it did.
    pub fell_back: Option<String>,
    /// True when the model is older than its time to live.
    pub stale: bool,
    /// Seconds between the origin and now.
    pub data_age_s: i64,
    /// True when the origin is older than two candles.
    pub stale_data: bool,
    /// The stored candles, which may reach beyond the origin.
    pub market: Arc<Market>,
    /// Confidence, 0 to 1, below which the answer is to hold.
    pub confidence_threshold: f64,
}

impl Predicted {
    /// The same, where the answer is to hold below the confidence `threshold`, 0 to 1.
    #[must_use]
    pub fn with_confidence_threshold(self, threshold: f64) -> Self {
        Self { confidence_threshold: threshold, ..self }
    }

    /// What the forecast says is to be done; `None` of a volatility, which says nothing of it.
    pub fn action(&self) -> Option<Action> {
        action(&self.forecast.outlook, self.confidence_threshold)
    }

    /// Share, 0 to 1, of the forecasts scored at the model's training whose confidence is not below the threshold, all
    /// steps together; `None` where that is not known, as with models of older programs and ensembles that are not saved.
    pub fn pass_share(&self) -> Option<f64> {
        pass_share(&self.manifest.as_ref()?.metrics, self.confidence_threshold)
    }

    /// What the test part said of the model; `None` where it has no verdict, and of an ensemble that is not saved.
    pub fn test(&self) -> Option<EvidenceDoc> {
        self.manifest.as_ref().and_then(EvidenceDoc::of)
    }

    /// Its type and version, for people.
    pub fn label(&self) -> String {
        match &self.manifest {
            Some(manifest) => format!("{} {}", self.model, manifest.version),
            None => format!("{} of saved models", self.model),
        }
    }

    /// True when the model learnt from candles after the origin: it has seen what it forecasts.
    pub fn has_seen_future(&self) -> bool {
        self.trained_to > self.forecast.origin
    }

    /// True when an outcome could be known when it was made: its first target had closed, or candles that close after
    /// the origin were stored, as with `--now` in the past.
    pub fn is_too_late(&self) -> bool {
        let series = self.market.series();
        let last_close = series.len().checked_sub(1).map(|row| series.close_time(row));
        let first_target = self.forecast.first_target();
        first_target.is_some_and(|target| self.made_at >= target)
            || last_close.is_some_and(|close| close > self.forecast.origin)
    }

    /// What to know before the forecast is used, for people. A generated market grows no older, so the age of its
    /// candles is not warned of.
    pub fn warnings(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.has_seen_future() {
            lines.push(format!(
                "the model has seen the future of this origin: it learnt from candles up to {}, so the forecast says nothing about its skill and is not logged; `candlecast backtest` does",
                self.trained_to
            ));
        }
        if self.stale_data && !self.forecast.key.venue.is_synthetic() {
            lines.push(format!(
                "the data are old: the last candle closed {} hours ago; bring newer candles in",
                self.data_age_s / 3_600
            ));
        }
        if self.stale {
            lines.push(format!("the model is of {}: train it again", self.trained_at));
        }
        lines.extend(self.test().and_then(|test| test.warning()));
        lines.extend(self.remarks.iter().cloned());
        if let Some(why) = &self.fell_back {
            lines.push(format!("an older version answered: {why}"));
        }
        lines
    }
}

/// BUY or SELL by the direction at the last step, or the most probable class; HOLD where there is none, or where its
/// confidence is below `threshold`.
fn action(outlook: &Outlook, threshold: f64) -> Option<Action> {
    let (said, confidence) = match outlook {
        Outlook::Price(steps) => {
            let last = steps.last()?;
            let said = match last.direction {
                Move::Up => Action::Buy,
                Move::Down => Action::Sell,
                Move::None => Action::Hold,
            };
            (said, last.confidence)
        }
        Outlook::Direction(direction) => (direction.action, direction.confidence),
        Outlook::Volatility(_) => return None,
    };
    Some(if confidence < threshold { Action::Hold } else { said })
}

/// Forecasts with the active model of `family` that has the shortest horizon of at least `horizon` steps, or, if that is
/// `None`, with the one that reaches farthest. A price forecast is cut to `horizon`; a class or a volatility is over the
/// whole horizon of its model.
pub async fn predict(host: &Host, family: &Family, horizon: Option<usize>) -> Result<Predicted, Problem> {
    predict_in_detail(host, family, horizon, &Detail::default()).await
}

/// [`predict`] with intervals of another level, or quantiles, as `detail` says. Classes have neither and are refused.
pub async fn predict_in_detail(
    host: &Host,
    family: &Family,
    horizon: Option<usize>,
    detail: &Detail,
) -> Result<Predicted, Problem> {
    detail.check(family.task())?;
    let of = family.clone();
    let loaded = blocking(host, move |host| {
        let slot = host.registry.reaching(&of, horizon);
        slot.and_then(|slot| load_serving(host, &slot, LOCAL)).map_err(|e| not_trained(e, &of))
    });
    let Loaded { manifest, payload, fell_back } = loaded.await?;
    let market = host.market(family.key(), max_fill(&payload)).await?;
    let now = host.now();
    let stale = is_stale(host, &manifest, now);
    let detail = detail.clone();
    host.compute(move || {
        let model = LoadedModel::restore(payload, &identity(&manifest))?;
        let who = Answering {
            model: manifest.model_type.to_ascii_lowercase(),
            trained_at: manifest.trained_at,
            manifest: Some(manifest),
            member_ids: vec![],
            stale,
            fell_back,
            remarks: vec![],
        };
        who.answer(model, market, now, horizon, &detail)
    })
    .await
    // A candle may have closed meanwhile.
    .map(|predicted| Predicted { made_at: host.now(), ..predicted })
}

/// Who answers, and what is known of it beside its model.
struct Answering {
    manifest: Option<ModelManifest>,
    /// Kebab-case id of its type.
    model: String,
    /// Ids of the members of an ensemble of saved models, in order.
    member_ids: Vec<String>,
    trained_at: Timestamp,
    stale: bool,
    fell_back: Option<String>,
    remarks: Vec<String>,
}

impl Answering {
    /// The answer of `model` from the last candle of `market` that has closed by `now`, cut to `horizon` steps.
    fn answer(
        self,
        model: LoadedModel,
        market: Arc<Market>,
        now: Timestamp,
        horizon: Option<usize>,
        detail: &Detail,
    ) -> Result<Predicted, Problem> {
        let trained_to = model.trained_to;
        let Newest { mut forecast, mut issued, regime, opinion } = forecast_newest(model, &market, now, detail)?;
        if let Some(steps) = horizon {
            forecast.truncate(steps);
            issued.truncate(steps);
        }
        // The last step of a price forecast; the others have one claim.
        let last = forecast.steps().len().saturating_sub(1);
        let ensemble = opinion.and_then(|opinion| EnsembleDoc::new(&opinion, &self.member_ids, last));
        let data_age_s = (now.ms() - forecast.origin.ms()).max(0) / 1000;
        Ok(Predicted {
            made_at: now,
            stale: self.stale,
            stale_data: data_age_s * 1000 > 2 * forecast.key.interval.ms(),
            data_age_s,
            trained_to,
            trained_at: self.trained_at,
            model: self.model,
            forecast,
            issued,
            manifest: self.manifest,
            ensemble,
            remarks: self.remarks,
            regime,
            fell_back: self.fell_back,
            market,
            confidence_threshold: CONFIDENCE_THRESHOLD,
        })
    }
}

/// Logs forecasts, as [`candlecast_monitor::log_forecasts`] does; one that came too late is left out, and that of an ensemble
/// that is not saved, which has no version to be judged by.
pub async fn log_predicted(host: &Host, predicted: &[Predicted]) -> Result<u64, Problem> {
    let in_time: Vec<MadeForecast<'_>> = predicted
        .iter()
        .filter(|p| !p.is_too_late())
        .filter_map(|p| {
            let model_id = p.manifest.as_ref()?.id.as_str();
            Some(MadeForecast { forecast: &p.issued, model_id, trained_to: p.trained_to, made_at: p.made_at })
        })
        .collect();
    log_forecasts(host, &in_time).await
}

fn not_trained(e: RegistryError, family: &Family) -> Problem {
    if !matches!(e, RegistryError::NoneActive { .. }) {
        return e.into();
    }
    let (key, model) = (family.key(), family.model());
    let venue = if key.venue.as_str() == "binance" { String::new() } else { format!(" --venue {}", key.venue) };
    let task = if family.task() == "price" { String::new() } else { format!(" --task {}", family.task()) };
    Problem::new(
        "model-not-trained",
        404,
        Blame::Data,
        format!(
            "no {model} model is saved for {key}: run `candlecast train --symbol {} --interval {}{venue}{task} --model {model} --horizon 24h`",
            key.symbol, key.interval
        ),
    )
    .with_field("model")
}

#[cfg(test)]
mod tests {
    use candlecast_core::{DirectionOutlook, ForecastStep, VolatilityOutlook};

    use super::*;

    fn step(step: usize, direction: Move, confidence: f64) -> ForecastStep {
        ForecastStep {
            step,
            target_time: Timestamp(0),
            // The price stays: the direction decides, not the price.
            price: 100.0,
            lower: 90.0,
            upper: 110.0,
            direction,
            factor: 0.0,
            confidence,
            calibrated: true,
        }
    }

    #[test]
    fn the_last_step_decides_if_its_confidence_is_not_below_the_threshold() {
        let of = |direction, confidence, threshold| {
            action(&Outlook::Price(vec![step(1, Move::Up, 0.9), step(2, direction, confidence)]), threshold)
        };
        for (direction, said) in [(Move::Up, Action::Buy), (Move::Down, Action::Sell), (Move::None, Action::Hold)] {
            assert_eq!(of(direction, 0.5, CONFIDENCE_THRESHOLD), Some(said));
            assert_eq!(of(direction, 0.6, 0.6), Some(said));
            assert_eq!(of(direction, 0.59, 0.6), Some(Action::Hold));
        }
        assert_eq!(action(&Outlook::Price(vec![]), 0.5), None);
    }

    #[test]
    fn a_class_is_done_where_it_is_sure_enough_and_a_volatility_says_nothing() {
        let class = Outlook::Direction(DirectionOutlook {
            step: 6,
            target_time: Timestamp(0),
            action: Action::Sell,
            probabilities: [0.5, 0.3, 0.2],
            sell_at: 99.0,
            buy_at: 101.0,
            confidence: 0.55,
            calibrated: true,
        });
        assert_eq!([0.5, 0.6].map(|threshold| action(&class, threshold)), [Some(Action::Sell), Some(Action::Hold)]);
        let target_time = Timestamp(0);
        let volatility = VolatilityOutlook { step: 6, target_time, volatility: 0.02, lower: 0.01, upper: 0.04 };
        assert_eq!(action(&Outlook::Volatility(volatility), 0.5), None);
    }
}
