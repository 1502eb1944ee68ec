//! Option groups that several commands share, and what they ask of the platform.

use candlecast_core::{FeatureSet, Interval, ModelRequest, Problem, SeriesKey, Symbol, TimeRange, Timestamp, Venue};
use candlecast_host::{Host, SeriesQuery};
use candlecast_learn::{DEFAULT_WINDOW, Labels, ScalerKind, TrainWindow};
use candlecast_pipeline::catalog::{ENSEMBLE, canonical};
use candlecast_pipeline::{MIN_CANDLES, PipelineOptions};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use crate::cli::time;
use crate::output::Output;

/// Which series.
#[derive(Debug, Clone, Args)]
pub(crate) struct SeriesArgs {
    /// Symbol, such as BTCUSDT
    #[arg(long, short)]
    pub(crate) symbol: Symbol,
    /// Candle length [default: 1h if stored, else the finest stored]
    #[arg(long, short, visible_alias = "timeframe")]
    pub(crate) interval: Option<Interval>,
    /// Venue [default: binance, or the only one stored]
    #[arg(long)]
    pub(crate) venue: Option<Venue>,
}

impl SeriesArgs {
    pub(crate) fn wanted(&self) -> SeriesQuery {
        SeriesQuery { symbol: self.symbol.clone(), venue: self.venue.clone(), interval: self.interval }
    }
}

/// Which series, of one or several symbols.
#[derive(Debug, Clone, Args)]
pub(crate) struct SeveralSeriesArgs {
    /// Symbol, such as BTCUSDT; several, by comma or blank, for one model that learns from all of them
    #[arg(long = "symbol", short, visible_alias = "symbols", value_delimiter = ',', num_args = 1.., required = true)]
    pub(crate) symbols: Vec<Symbol>,
    /// Candle length [default: 1h if stored, else the finest stored]
    #[arg(long, short, visible_alias = "timeframe")]
    pub(crate) interval: Option<Interval>,
    /// Venue [default: binance, or the only one stored]
    #[arg(long)]
    pub(crate) venue: Option<Venue>,
}

impl SeveralSeriesArgs {
    pub(crate) fn wanted(&self) -> impl Iterator<Item = SeriesQuery> {
        let query = |symbol: &Symbol| SeriesQuery {
            symbol: symbol.clone(),
            venue: self.venue.clone(),
            interval: self.interval,
        };
        self.symbols.iter().map(query)
    }
}

/// What `--pool` adds to `keys`: the other stored series of their venue and interval; none where it is not `asked` for.
pub(crate) async fn pool(
    app: &Host,
    keys: &[SeriesKey],
    asked: bool,
    output: Output,
) -> Result<Vec<SeriesKey>, Problem> {
    let pool = if asked { candlecast_app::pool_of(app, keys).await? } else { vec![] };
    if asked && pool.is_empty() {
        output.remark("--pool changes nothing: no other series of the same venue and interval is stored");
    }
    Ok(pool)
}

/// A range of time.
#[derive(Debug, Clone, Args)]
pub(crate) struct RangeArgs {
    /// First instant (a date is 00:00 UTC) [default: all there is]
    #[arg(long, value_parser = time, value_name = "TIME")]
    pub(crate) from: Option<Timestamp>,
    /// First instant after the range
    #[arg(long, value_parser = time, value_name = "TIME")]
    pub(crate) to: Option<Timestamp>,
}

impl RangeArgs {
    pub(crate) fn range(&self) -> TimeRange {
        TimeRange { from: self.from.unwrap_or(TimeRange::ALL.from), to: self.to.unwrap_or(TimeRange::ALL.to) }
    }
}

/// What of the past trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WindowArg {
    /// The newest `--train-days`
    Rolling,
    /// Everything
    Expanding,
}

/// What a fit is of.
#[derive(Debug, Clone, Args)]
pub(crate) struct FitArgs {
    /// What is forecast: price, direction (SELL, HOLD or BUY) or volatility
    #[arg(long, default_value = "price", value_name = "TASK")]
    pub(crate) task: String,
    /// Classes of the direction task: adaptive:LOW,HIGH (percentiles of the training returns in units of their expected
    /// size, as shares) or fixed:RETURN (a log return either way) [default: adaptive:0.25,0.75]
    #[arg(long, value_name = "HOW", value_parser = labels)]
    pub(crate) labels: Option<Labels>,
    /// Share of a training window, its end, that early stopping and selection use [default: 0.15]
    #[arg(long, alias = "validation-split", value_name = "SHARE")]
    pub(crate) valid_share: Option<f64>,
    /// Share of the data, its end, that is tested, 0.05 to 0.4: of a training its test part [default: 0.15, at most 90
    /// days], of compare and backtest their range where there is no --from, of a search its hold-out
    #[arg(long, value_name = "SHARE")]
    pub(crate) test_share: Option<f64>,
    /// How far ahead: a duration (24h) or a number of steps
    #[arg(long, default_value = "24h")]
    pub(crate) horizon: String,
    /// Training window [default: rolling; expanding where train and features rank get --days or --from]
    #[arg(long, value_enum)]
    pub(crate) window: Option<WindowArg>,
    /// Days in a rolling window [default: 365, `har-x` 1825, `linear` on prices the mean over 365, 1095 and 1825]
    #[arg(long, value_name = "DAYS")]
    pub(crate) train_days: Option<u32>,
    /// Fewest candles a fit may have (200 at the least)
    #[arg(long, default_value_t = MIN_CANDLES.0, value_name = "N")]
    pub(crate) min_candles: usize,
    /// Features instead of the models' own: ids, groups, sets or all, by comma
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    pub(crate) features: Vec<String>,
    /// Scaler instead of the models' own: standard, min-max, robust, none
    #[arg(long)]
    pub(crate) scaler: Option<ScalerKind>,
    /// A parameter: NAME=VALUE, or MODEL.NAME=VALUE; several times if need be
    #[arg(long = "set", value_name = "[MODEL.]NAME=VALUE")]
    pub(crate) set: Vec<String>,
}

/// How an ensemble combines which members.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct EnsembleArgs {
    /// Members of `ensemble`, by comma [default: ensemble.members of the configuration, else lstm,hybrid]
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    members: Vec<String>,
    /// How `ensemble` combines them: average, weighted, voting or stacking [default: weighted]
    #[arg(long, value_name = "STRATEGY")]
    strategy: Option<String>,
    /// What a vote weighs: equal or confidence [default: equal]
    #[arg(long, value_name = "HOW")]
    votes: Option<String>,
    /// Weights of the members, by comma, or auto [default: equal, of lstm, random-forest, gbdt and svm 40, 25, 25, 10]
    #[arg(long, value_name = "LIST")]
    weights: Option<String>,
}

impl EnsembleArgs {
    /// The parameters of the ensemble that these name; none where nothing was said.
    pub(crate) fn params(&self) -> Map<String, Value> {
        let members = (!self.members.is_empty()).then(|| Value::from(self.members.clone()));
        let text = |value: &Option<String>| value.clone().map(Value::String);
        [
            ("members", members),
            ("strategy", text(&self.strategy)),
            ("votes", text(&self.votes)),
            ("weights", text(&self.weights)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }

    /// Sets them in the requests for an ensemble among `requests`.
    fn set(&self, requests: &mut [ModelRequest]) -> Result<(), Problem> {
        let params = self.params();
        let Some((first, _)) = params.iter().next() else { return Ok(()) };
        let mut is_set = false;
        for request in requests.iter_mut().filter(|request| request.id == ENSEMBLE) {
            is_set = true;
            let Some(own) = request.params.as_object_mut() else { continue };
            for (name, value) in &params {
                if let Some(other) = own.get(name).filter(|other| *other != value) {
                    let told = format!("--{name} {value} and --set {name}={other}: say it once");
                    return Err(Problem::usage("bad-set", name, told));
                }
                own.insert(name.clone(), value.clone());
            }
        }
        if is_set {
            return Ok(());
        }
        Err(Problem::usage("bad-usage", first, format!("--{first} is of {ENSEMBLE}, which is not among the models")))
    }
}

/// How models are trained and scored.
#[derive(Debug, Clone, Args)]
pub(crate) struct PipelineArgs {
    #[command(flatten)]
    pub(crate) fit: FitArgs,
    #[command(flatten)]
    pub(crate) ensemble: EnsembleArgs,
    /// Share of outcomes that intervals are to cover
    #[arg(long, default_value_t = 0.9)]
    pub(crate) level: f64,
    /// Days between refits
    #[arg(long, visible_alias = "retrain-interval", default_value_t = 7, value_name = "DAYS")]
    pub(crate) retrain_days: u32,
    /// Tell how many forecasts have at least this confidence and how often they are right (price, direction); changes no
    /// forecast and no other score [default: the confidence of the surest tenth of each model]
    #[arg(long, value_name = "SHARE", value_parser = confidence_threshold)]
    pub(crate) confidence_threshold: Option<f64>,
}

impl PipelineArgs {
    /// As [`FitArgs::models`], with what is said of ensembles.
    pub(crate) fn models(&self, names: &[String]) -> Result<Vec<ModelRequest>, Problem> {
        let mut requests = self.fit.models(names)?;
        self.ensemble.set(&mut requests)?;
        Ok(requests)
    }

    /// As [`FitArgs::common`].
    pub(crate) fn common(&self, key: &SeriesKey, range_given: bool) -> Result<PipelineOptions, Problem> {
        let mut common = self.fit.common(key, range_given)?;
        common.level = self.level;
        common.retrain_days = self.retrain_days;
        common.check()?;
        Ok(common)
    }
}

impl FitArgs {
    /// The common part for a series. `range_given` as in [`FitArgs::window`].
    pub(crate) fn common(&self, key: &SeriesKey, range_given: bool) -> Result<PipelineOptions, Problem> {
        let mut common = PipelineOptions::new(key.interval.horizon_steps(&self.horizon)?);
        self.task.clone_into(&mut common.task);
        common.labels = self.labels.unwrap_or(common.labels);
        common.valid_share = self.valid_share.unwrap_or(common.valid_share);
        common.test_share = self.test_share;
        common.window = self.window(range_given);
        common.min_candles = self.min_candles;
        common.features = (!self.features.is_empty()).then(|| FeatureSet(self.features.clone()));
        common.scaler = self.scaler;
        common.check()?;
        Ok(common)
    }

    /// How far back training reaches: as `--window` and `--train-days` say; without them, a range to learn from whose
    /// beginning was asked for (`range_given`) is learnt from as a whole.
    fn window(&self, range_given: bool) -> TrainWindow {
        match (self.window, self.train_days) {
            (Some(WindowArg::Expanding), _) => TrainWindow::Expanding,
            (None, None) if range_given => TrainWindow::Expanding,
            (None, None) => TrainWindow::Own,
            (_, days) => TrainWindow::Rolling { days: days.unwrap_or(DEFAULT_WINDOW) },
        }
    }

    /// Requests for the models called `names`, with the parameters set for each.
    pub(crate) fn models(&self, names: &[String]) -> Result<Vec<ModelRequest>, Problem> {
        let ids = names.iter().map(|name| canonical(name)).collect::<Result<Vec<_>, _>>()?;
        let mut params: Vec<Map<String, Value>> = vec![Map::new(); ids.len()];
        for assignment in &self.set {
            Self::assign(assignment, &ids, &mut params)?;
        }
        Ok(ids
            .iter()
            .zip(params)
            .map(|(id, params)| ModelRequest { id: (*id).into(), params: Value::Object(params) })
            .collect())
    }

    fn assign(assignment: &str, ids: &[&'static str], params: &mut [Map<String, Value>]) -> Result<(), Problem> {
        let bad = |why: String| Problem::usage("bad-set", "set", format!("--set {assignment}: {why}"));
        let (name, text) = assignment.split_once('=').ok_or_else(|| bad("write NAME=VALUE".into()))?;
        let value: Value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.into()));
        let (targets, name): (Vec<usize>, &str) = match name.split_once('.') {
            Some((model, name)) => {
                let id = canonical(model)?;
                let at =
                    ids.iter().position(|i| *i == id).ok_or_else(|| bad(format!("{id} is not among the models")))?;
                (vec![at], name)
            }
            None if ids.len() == 1 => (vec![0], name),
            None => {
                return Err(bad(format!("say which model, for example {}.{name}", ids.first().unwrap_or(&"model"))));
            }
        };
        for at in targets {
            params[at].insert(name.trim().to_owned(), value.clone());
        }
        Ok(())
    }
}

/// A confidence of 0.5 to 0.99.
pub(crate) fn confidence_threshold(text: &str) -> Result<f64, String> {
    let number = text.trim().parse::<f64>().ok().filter(|share| (0.5..=0.99).contains(share));
    number.ok_or_else(|| format!("`{text}`: write a share from 0.5 to 0.99, such as 0.6"))
}

/// `adaptive:0.25,0.75` or `fixed:0.01`.
fn labels(text: &str) -> Result<Labels, String> {
    let wrong =
        || format!("`{text}`: write adaptive:LOW,HIGH such as adaptive:0.25,0.75, or fixed:RETURN such as fixed:0.01");
    let number = |text: &str| text.trim().parse::<f64>().map_err(|_| wrong());
    let (kind, numbers) = text.split_once(':').unwrap_or((text, ""));
    match (kind.trim(), numbers.split_once(',')) {
        ("adaptive", None) if numbers.is_empty() => Ok(Labels::Adaptive { low: 0.25, high: 0.75 }),
        ("adaptive", Some((low, high))) => Ok(Labels::Adaptive { low: number(low)?, high: number(high)? }),
        ("fixed", None) => Ok(Labels::Fixed { threshold: number(numbers)? }),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        fit: FitArgs,
    }

    #[test]
    fn labels_are_read_and_others_refused() {
        assert_eq!(labels("fixed:0.01"), Ok(Labels::Fixed { threshold: 0.01 }));
        assert_eq!(labels("adaptive:0.2, 0.9"), Ok(Labels::Adaptive { low: 0.2, high: 0.9 }));
        assert_eq!(labels("adaptive"), Ok(Labels::Adaptive { low: 0.25, high: 0.75 }));
        for bad in ["", "fixed", "fixed:1,2", "adaptive:0.2", "other:1", "fixed:x"] {
            assert!(labels(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_threshold_of_the_confidence_is_a_share_above_chance() {
        assert_eq!(["0.5", " 0.575", "0.99"].map(confidence_threshold), [Ok(0.5), Ok(0.575), Ok(0.99)]);
        for bad in ["", "0.4", "60", "60%", "1", "NaN", "sure"] {
            assert!(confidence_threshold(bad).unwrap_err().contains("0.5 to 0.99"), "{bad}");
        }
    }

    #[derive(Debug, Parser)]
    struct WholeLine {
        #[command(flatten)]
        pipeline: PipelineArgs,
    }

    #[test]
    fn what_is_said_of_ensembles_is_set_in_those_that_are_asked_for() {
        let models = |names: &[&str], args: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            WholeLine::try_parse_from([&["fit"][..], args].concat()).unwrap().pipeline.models(&names)
        };
        let args = ["--members", "gbdt,linear", "--strategy", "voting", "--votes", "confidence"];
        let asked = models(&["ensemble", "lstm"], &args).unwrap();
        let expected =
            serde_json::json!({ "members": ["gbdt", "linear"], "strategy": "voting", "votes": "confidence" });
        assert_eq!((&asked[0].params, &asked[1].params), (&expected, &serde_json::json!({})));
        assert_eq!(models(&["lstm"], &[]).unwrap()[0].params, serde_json::json!({}));
        let nobody = models(&["lstm"], &["--strategy", "stacking"]).unwrap_err();
        assert_eq!((nobody.code, nobody.field.as_deref()), ("bad-usage", Some("strategy")));
        let twice = ["--weights", "auto", "--set", "weights=3,1"];
        assert_eq!(models(&["ensemble"], &twice).unwrap_err().field.as_deref(), Some("weights"));
    }

    #[test]
    fn what_is_said_of_the_window_beats_the_range() {
        let window = |args: &[&str], range_given| {
            Line::try_parse_from([&["fit"][..], args].concat()).unwrap().fit.window(range_given)
        };
        let rolling = |days| TrainWindow::Rolling { days };
        assert_eq!(window(&[], false), TrainWindow::Own);
        assert_eq!(window(&[], true), TrainWindow::Expanding);
        assert_eq!(window(&["--window", "rolling"], true), rolling(365));
        assert_eq!(window(&["--train-days", "60"], true), rolling(60));
        assert_eq!(window(&["--window", "expanding"], false), TrainWindow::Expanding);
    }
}
