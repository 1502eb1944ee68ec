//! [`StreamRequest`]: what to stream, with which models, for how long.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use candlecast_core::{Interval, Problem, Symbol, Venue};
use candlecast_exchange::Exchange;

use crate::replay::ReplayRequest;

/// Where the candles come from.
#[derive(Debug, Clone)]
pub enum StreamSource {
    /// An exchange.
    Exchange {
        /// Connected as [`crate::exchange`] does it.
        exchange: Arc<dyn Exchange>,
        /// Its order book too.
        book: bool,
    },
    /// Files, played as if they were live.
    Replay(ReplayRequest),
}

/// What to stream.
#[derive(Debug, Clone)]
pub struct StreamRequest {
    /// Trading pair.
    pub symbol: Symbol,
    /// Candle length.
    pub interval: Interval,
    /// Where from.
    pub source: StreamSource,
    /// Models whose active versions forecast, by id or alias; `all` for every active one.
    pub models: Vec<String>,
    /// Task of the models that are named: `price`, `direction` or `volatility`.
    pub task: String,
    /// Venue of the series that the models were trained on; that of the candles if `None`.
    pub model_venue: Option<Venue>,
    /// Forecasts are told and logged at every so many candles, counted from the epoch; at least 1.
    pub predict_every: u32,
    /// Steps of the forecasts that are logged.
    pub log: LogSteps,
    /// How long, by the exchange's clock; `None` until it is asked to stop or the files are through.
    pub duration: Option<Duration>,
}

/// Steps of a forecast that are logged, each as a prediction of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LogSteps {
    /// Every step.
    #[default]
    All,
    /// These, ascending; none logs nothing.
    Only(Vec<usize>),
}

impl LogSteps {
    /// True when step `step` (from 1) is logged.
    pub fn has(&self, step: usize) -> bool {
        match self {
            Self::All => true,
            Self::Only(steps) => steps.contains(&step),
        }
    }

    /// True when no step is logged.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Only(steps) if steps.is_empty())
    }

    /// Refuses steps that the forecasts of `model` do not have.
    pub(super) fn check(&self, model: &str, horizon: usize) -> Result<(), Problem> {
        let Self::Only(steps) = self else { return Ok(()) };
        match steps.iter().find(|&&step| step > horizon) {
            None => Ok(()),
            Some(step) => Err(Problem::usage(
                "bad-log-steps",
                "log-steps",
                format!("step {step} is to be logged, but {model} forecasts {horizon}: name steps from 1 to {horizon}"),
            )),
        }
    }
}

impl fmt::Display for LogSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.pad("all"),
            Self::Only(steps) if steps.is_empty() => f.pad("none"),
            Self::Only(steps) => f.pad(&steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
        }
    }
}

impl FromStr for LogSteps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "all" => return Ok(Self::All),
            "none" => return Ok(Self::Only(Vec::new())),
            _ => {}
        }
        let step = |part: &str| part.trim().parse::<usize>().ok().filter(|&step| step > 0);
        let mut steps = text
            .split(',')
            .map(step)
            .collect::<Option<Vec<usize>>>()
            .ok_or_else(|| "write all, none, or steps from 1 on by comma, such as 1,24".to_owned())?;
        steps.sort_unstable();
        steps.dedup();
        Ok(Self::Only(steps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_to_log_are_read_and_written() {
        for (text, steps, shown) in [
            ("all", LogSteps::All, "all"),
            ("None", LogSteps::Only(vec![]), "none"),
            ("24, 1,24", LogSteps::Only(vec![1, 24]), "1,24"),
        ] {
            let read: LogSteps = text.parse().unwrap();
            assert_eq!((&read, read.to_string().as_str()), (&steps, shown));
        }
        for bad in ["", "0", "1,", "-1", "1.5", "first"] {
            assert!(bad.parse::<LogSteps>().is_err(), "{bad}");
        }
    }

    #[test]
    fn steps_beyond_the_horizon_are_refused() {
        let steps = LogSteps::Only(vec![1, 24]);
        assert!(steps.has(24) && !steps.has(2) && !steps.is_none() && LogSteps::All.has(99));
        assert!(steps.check("linear", 24).is_ok() && LogSteps::All.check("linear", 1).is_ok());
        let error = steps.check("linear", 12).unwrap_err();
        assert!(error.detail.contains("step 24") && error.detail.contains("1 to 12"), "{}", error.detail);
    }
}
