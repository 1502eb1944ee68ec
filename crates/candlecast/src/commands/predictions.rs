//! `candlecast predictions`.

use candlecast_app::doc::{AccuracyDoc, PredictionsDoc, SettlementDoc};
use candlecast_app::models::parse_id;
use candlecast_app::text;
use candlecast_core::{Interval, Problem, Symbol, Venue};
use candlecast_host::{Host, SeriesQuery};
use candlecast_jobs::Cursor;
use candlecast_learn::{HitRate, task_kind};
use candlecast_monitor::{
    DIRECTION_TASK, LoggedPrediction, MAX_PAGE, Page, PageRequest, PredictionFilter, PredictionStatus, PredictionsOf,
    Settlement, VOLATILITY_TASK, count_pending_predictions, predictions, revalidate_predictions, task_accuracy,
    validate_predictions,
};
use candlecast_pipeline::{Accuracy, DirectionFigures, GroupAccuracy, TaskAccuracy, TaskFigures, VolatilityFigures};
use clap::{Args, Subcommand};

use crate::output::Output;
use crate::requests::RangeArgs;

/// Predictions settled before a list is shown; the rest with the next one.
const SETTLED_AT_ONCE: u64 = 10_000;

/// Look at logged forecasts and at what became of them
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  candlecast predictions list --symbol BTCUSDT --status validated\n  candlecast predictions list --task direction\n  candlecast predictions accuracy --window 90"
)]
pub(crate) struct PredictionsArgs {
    #[command(subcommand)]
    command: PredictionsCommand,
}

#[derive(Debug, Subcommand)]
enum PredictionsCommand {
    /// Logged forecasts, of prices a line a step, last target first
    List(ListArgs),
    /// Set every prediction beside its outcome whose candle is stored
    Validate(ValidateArgs),
    /// How the models did; of prices by group of steps, beside the naive forecast on the same targets
    Accuracy(AccuracyArgs),
}

/// Whose predictions.
#[derive(Debug, Args)]
struct OfArgs {
    /// Only this model's: its id, such as BTCUSDT_LINEAR_1.0.0
    #[arg(long, short, value_name = "ID", conflicts_with = "symbol")]
    model: Option<String>,
    /// Only those on this symbol's series
    #[arg(long, short)]
    symbol: Option<Symbol>,
    /// Candle length of the series [default: 1h if stored, else the finest stored]
    #[arg(long, short, requires = "symbol")]
    interval: Option<Interval>,
    /// Venue of the series [default: binance, or the only one stored]
    #[arg(long, requires = "symbol")]
    venue: Option<Venue>,
    /// Only this task's: price, direction, volatility
    #[arg(long, value_parser = task)]
    task: Option<String>,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    of: OfArgs,
    /// Only this status: pending, validated, unscorable
    #[arg(long)]
    status: Option<PredictionStatus>,
    // Of the target times.
    #[command(flatten)]
    range: RangeArgs,
    /// At most so many, 1 to 1000
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PAGE)))]
    limit: u32,
    /// Go on where the page before ended, with the cursor that it showed
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
}

#[derive(Debug, Args)]
struct ValidateArgs {
    /// Those that have met their outcome, too: for candles that were corrected while the log could not follow
    #[arg(long)]
    again: bool,
}

#[derive(Debug, Args)]
struct AccuracyArgs {
    #[command(flatten)]
    of: OfArgs,
    /// Days before the newest validated prediction that count [default: all]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    window: Option<u32>,
}

fn task(text: &str) -> Result<String, String> {
    task_kind(text).map(|kind| kind.id().to_owned())
}

impl OfArgs {
    async fn of(&self, app: &Host) -> Result<PredictionsOf, Problem> {
        if let Some(id) = &self.model {
            return Ok(PredictionsOf::Model(parse_id(id)?.to_string()));
        }
        let Some(symbol) = self.symbol.clone() else { return Ok(PredictionsOf::All) };
        let wanted = SeriesQuery { symbol, venue: self.venue.clone(), interval: self.interval };
        Ok(PredictionsOf::Series(app.find_series(&wanted).await?))
    }
}

pub(crate) async fn run(args: PredictionsArgs, app: &Host, output: Output) -> Result<(), Problem> {
    match args.command {
        PredictionsCommand::List(args) => list(&args, app, output).await,
        PredictionsCommand::Validate(args) => {
            let settled = if args.again {
                revalidate_predictions(app).await?
            } else {
                validate_predictions(app, u64::MAX).await?
            };
            let pending = count_pending_predictions(app).await?;
            output.result(&SettlementDoc::new(&settled, pending), || settlement(&settled, pending))?;
            problems(&settled)
        }
        PredictionsCommand::Accuracy(args) => {
            settle_first(app, output).await;
            let (of, task) = (args.of.of(app).await?, args.of.task.clone());
            let accuracy = task_accuracy(app, of, task, args.window).await?;
            output.result(&AccuracyDoc::new(&accuracy, args.window), || accuracy_text(&accuracy))
        }
    }
}

async fn list(args: &ListArgs, app: &Host, output: Output) -> Result<(), Problem> {
    settle_first(app, output).await;
    let filter = PredictionFilter {
        of: args.of.of(app).await?,
        task: args.of.task.clone(),
        status: args.status,
        target: args.range.range(),
    };
    let page = predictions(app, &filter, PageRequest { after: args.after, limit: args.limit }).await?;
    output.result(&PredictionsDoc::from(&page), || list_text(&page))
}

/// Brings the log up to date before it is shown. Where that cannot be done it is shown as it is.
async fn settle_first(app: &Host, output: Output) {
    let problems = match validate_predictions(app, SETTLED_AT_ONCE).await {
        Ok(settled) => settled.problems,
        Err(e) => vec![e.detail],
    };
    for problem in problems {
        output.remark(&format!("warning: predictions were not set beside their outcomes: {problem}"));
    }
}

/// What kept a series from being looked at, as one problem.
fn problems(settled: &Settlement) -> Result<(), Problem> {
    if settled.problems.is_empty() {
        return Ok(());
    }
    Err(Problem::data("not-validated", settled.problems.join("\n  ")))
}

fn settlement(s: &Settlement, pending: u64) -> String {
    let mut text = format!("{} validated, {} unscorable, {pending} pending", s.validated, s.missing + s.halted);
    if s.missing > 0 {
        text.push_str(&format!("\n{} unscorable: their candle is missing while later ones are stored", s.missing));
    }
    if s.halted > 0 {
        text.push_str(&format!("\n{} unscorable: their candle is flat and without volume", s.halted));
    }
    text
}

fn list_text(page: &Page<LoggedPrediction>) -> String {
    if page.items.is_empty() {
        return "no logged prediction is like that: `candlecast predict` logs its forecasts".into();
    }
    let rows = page.items.iter().map(row).collect();
    let header =
        ["model", "series", "task", "origin", "step", "target", "forecast", "interval", "conf.", "actual", "error", ""];
    let mut text = text::plain(&header, rows);
    if let Some(next) = page.next {
        text.push_str(&format!("\nthere are more: --after {next}"));
    }
    text
}

fn row(p: &LoggedPrediction) -> Vec<String> {
    let Told { forecast, interval, actual, error } = match p.made.task.as_str() {
        DIRECTION_TASK => told_class(p),
        VOLATILITY_TASK => told_number(p, volatility),
        _ => told_price(p),
    };
    vec![
        p.made.model_id.clone(),
        p.made.series.to_string(),
        p.made.task.clone(),
        p.made.origin.to_string(),
        p.made.step.to_string(),
        p.made.target_time.to_string(),
        forecast,
        interval,
        p.made.confidence.map_or_else(dash, |c| format!("{c:.2}")),
        actual,
        error,
        p.status.to_string(),
    ]
}

/// The cells of a prediction that its task decides.
struct Told {
    forecast: String,
    interval: String,
    actual: String,
    error: String,
}

/// Prices and volatilities, as `number` writes them.
fn told_number(p: &LoggedPrediction, number: impl Fn(f64) -> String) -> Told {
    let error = |error: f64| {
        let sign = if error < 0.0 { "-" } else { "" };
        format!("{sign}{}", number(error.abs()))
    };
    Told {
        forecast: number(p.made.prediction),
        interval: p.made.interval.map_or_else(dash, |i| format!("{} .. {}", number(i.lower), number(i.upper))),
        actual: p.actual.map_or_else(dash, &number),
        error: p.error.map_or_else(dash, error),
    }
}

/// A price with the direction that was told, which may stand where the price stays.
fn told_price(p: &LoggedPrediction) -> Told {
    let told = told_number(p, |value| text::price(Some(value)));
    let direction = p.made.direction.map_or_else(String::new, |direction| format!(" {direction}"));
    Told { forecast: format!("{}{direction}", told.forecast), ..told }
}

/// A class with the prices between which it is HOLD, and the one that came true with the close.
fn told_class(p: &LoggedPrediction) -> Told {
    let price = |value: f64| text::price(Some(value));
    let (named, came) = (p.made.class(), p.actual_class());
    Told {
        forecast: named.map_or_else(dash, |class| class.to_string()),
        interval: p.made.borders.map_or_else(dash, |b| format!("HOLD {} .. {}", price(b.sell_at), price(b.buy_at))),
        actual: came.zip(p.actual).map_or_else(dash, |(class, close)| format!("{class} {}", price(close))),
        error: came.map_or_else(dash, |came| if named == Some(came) { "right".into() } else { "wrong".into() }),
    }
}

/// A volatility over the horizon, in percent.
fn volatility(value: f64) -> String {
    format!("{:.3} %", 100.0 * value)
}

fn dash() -> String {
    "-".into()
}

fn accuracy_text(a: &Accuracy) -> String {
    let Some(range) = a.range else {
        return "no prediction has met its outcome yet: `candlecast predict` logs forecasts, `candlecast import` brings the candles that they are set beside".into();
    };
    let cut =
        if a.cut { "\nonly the newest predictions were read: there are too many; take a shorter --window" } else { "" };
    let mut text = format!("targets {range}{cut}{}", rolled_up_text(a));
    for part in [prices_text(a), classes_text(a), volatilities_text(a)].into_iter().flatten() {
        text.push('\n');
        text.push_str(&part);
    }
    text
}

/// What is to be known of predictions of which only sums are left; empty without any.
fn rolled_up_text(a: &Accuracy) -> String {
    let mut text = String::new();
    if a.rolled_up > 0 {
        text.push_str(&format!("\n{} older predictions count by their sums over whole days", a.rolled_up));
    }
    if a.corrected > 0 {
        text.push_str(&format!(
            "\nwarning: {} of these have their targets in days of which candles were corrected later; their figures may be those of the old candles",
            a.corrected
        ));
    }
    text
}

/// How predictions of prices did; `None` without any.
fn prices_text(a: &Accuracy) -> Option<String> {
    let mut rows = Vec::new();
    let mut verdicts = Vec::new();
    for model in &a.models {
        for group in &model.groups {
            rows.push(group_row(&model.model_id, group));
            verdicts.push(format!("{} {}: {}", model.model_id, steps(group), group.verdict));
        }
        // Of all steps, which is the first group.
        let recent = model.groups.first().and_then(|group| group.recent);
        verdicts.extend(recent.map(|rate| recent_line(&model.model_id, "direction", rate)));
    }
    let header = ["model", "steps", "n", "indep.", "MAE", "naive", "skill", "RMSE", "MAPE", "direct.", "cover", "of"];
    let notes = "indep. = outcomes that do not overlap; naive = MAE of \"the price stays\" on the same targets; skill = 1 - MAE / that; p-values are anytime-valid, so look as often as you like, and corrected for the number of lines.";
    table_with_verdicts(&header, rows, &verdicts, notes)
}

/// How often directions or classes, as `what` says, were right in the last three months.
fn recent_line(model_id: &str, what: &str, rate: HitRate) -> String {
    format!("{model_id}: {}", text::hit_rate(what, &rate.into()))
}

/// How predicted classes did; `None` without any.
fn classes_text(a: &Accuracy) -> Option<String> {
    let mut rows = Vec::new();
    let mut verdicts = Vec::new();
    for (model_id, whole) in wholes(a) {
        let TaskFigures::Direction(figures) = &whole.figures else { continue };
        rows.push(class_row(model_id, whole, figures));
        verdicts.push(format!("{model_id} {}: {}", whole.step, whole.verdict));
        verdicts.extend(figures.recent.map(|rate| recent_line(model_id, "class", rate)));
    }
    let header =
        ["model", "step", "n", "indep.", "right", "majority", "balanced", "F1", "MCC", "conf.", "came true", "Brier"];
    let notes = "indep. = outcomes that do not overlap; majority = share of the most frequent outcome, which was known only afterwards; conf. = mean confidence, came true = share of right classes among those that have one: the two should be alike; Brier is that of the confidence.";
    table_with_verdicts(&header, rows, &verdicts, notes)
}

/// How predicted volatilities did; `None` without any.
fn volatilities_text(a: &Accuracy) -> Option<String> {
    let mut rows = Vec::new();
    let mut verdicts = Vec::new();
    for (model_id, whole) in wholes(a) {
        let TaskFigures::Volatility(figures) = &whole.figures else { continue };
        rows.push(volatility_row(model_id, whole, figures));
        verdicts.push(format!("{model_id} {}: {}", whole.step, whole.verdict));
    }
    let header = ["model", "step", "n", "indep.", "QLIKE", "MAE", "RMSE", "R2 log", "cover", "of"];
    let notes = "indep. = outcomes that do not overlap; QLIKE: 0 is perfect; MAE and RMSE of the volatility over the horizon; R2 of log variances.";
    table_with_verdicts(&header, rows, &verdicts, notes)
}

/// What is known of models of tasks without steps, with their ids.
fn wholes(a: &Accuracy) -> impl Iterator<Item = (&str, &TaskAccuracy)> {
    a.models.iter().filter_map(|model| Some((model.model_id.as_str(), model.whole.as_ref()?)))
}

fn table_with_verdicts(header: &[&str], rows: Vec<Vec<String>>, verdicts: &[String], notes: &str) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    Some(format!("{}\n{}\n{notes}", text::plain(header, rows), verdicts.join("\n")))
}

fn class_row(model_id: &str, whole: &TaskAccuracy, figures: &DirectionFigures) -> Vec<String> {
    let metrics = &figures.metrics;
    let confidence = figures.confidence;
    vec![
        model_id.to_owned(),
        whole.step.to_string(),
        whole.n.to_string(),
        whole.independent.to_string(),
        percent(metrics.accuracy),
        format!("{} {}", percent(Some(figures.majority_share)), figures.majority),
        percent(metrics.balanced_accuracy),
        decimals(metrics.macro_f1),
        decimals(metrics.mcc),
        decimals(confidence.map(|c| c.mean)),
        decimals(confidence.map(|c| c.right)),
        decimals(confidence.map(|c| c.brier)),
    ]
}

fn volatility_row(model_id: &str, whole: &TaskAccuracy, figures: &VolatilityFigures) -> Vec<String> {
    let metrics = &figures.metrics;
    vec![
        model_id.to_owned(),
        whole.step.to_string(),
        whole.n.to_string(),
        whole.independent.to_string(),
        metrics.qlike.map_or_else(dash, |v| format!("{v:.4}")),
        metrics.mae.map_or_else(dash, volatility),
        metrics.rmse.map_or_else(dash, volatility),
        decimals(metrics.r2),
        percent(figures.coverage),
        percent(figures.level),
    ]
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(dash, |v| format!("{:.1} %", 100.0 * v))
}

fn decimals(value: Option<f64>) -> String {
    value.map_or_else(dash, |v| format!("{v:.3}"))
}

fn group_row(model_id: &str, g: &GroupAccuracy) -> Vec<String> {
    vec![
        model_id.to_owned(),
        steps(g),
        g.n.to_string(),
        g.independent.to_string(),
        text::price(g.metrics.mae),
        text::price(g.naive.mae),
        g.skill.map_or_else(dash, |v| format!("{:.2} %", 100.0 * v)),
        text::price(g.metrics.rmse),
        g.metrics.mape.map_or_else(dash, |v| format!("{v:.3} %")),
        percent(g.metrics.directional_accuracy),
        percent(g.coverage),
        percent(g.level),
    ]
}

fn steps(g: &GroupAccuracy) -> String {
    match g.steps {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::{Action, Move, SeriesKey, TimeRange, Timestamp};
    use candlecast_monitor::{ClassBorders, NewPrediction, PRICE_TASK, PredictionId, PriceInterval};
    use candlecast_pipeline::{ScoredClass, ScoredLog, ScoredVolatility, accuracy};

    use super::*;

    fn key() -> SeriesKey {
        SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1)
    }

    fn logged(task: &str, prediction: f64, actual: f64) -> LoggedPrediction {
        let origin = Timestamp::year_start(2024);
        let made = NewPrediction {
            task: task.into(),
            model_id: "m".into(),
            series: key(),
            origin,
            step: 6,
            target_time: origin.plus_ms(6 * Interval::H1.ms()),
            made_at: origin,
            base_price: 100.0,
            prediction,
            interval: Some(PriceInterval { lower: prediction / 2.0, upper: 2.0 * prediction, level: 0.9 }),
            borders: None,
            confidence: None,
            direction: None,
        };
        LoggedPrediction {
            id: PredictionId(1),
            made,
            status: PredictionStatus::Validated,
            actual: Some(actual),
            error: Some(prediction - actual),
            validated_at: None,
        }
    }

    /// The cells from the forecast to the error.
    fn cells(p: &LoggedPrediction) -> [String; 5] {
        let row = row(p);
        assert_eq!((row.len(), row[2].as_str()), (12, p.made.task.as_str()));
        [6, 7, 8, 9, 10].map(|i| row[i].clone())
    }

    #[test]
    fn a_row_is_written_in_the_unit_of_its_task() {
        assert_eq!(
            cells(&logged(PRICE_TASK, 101.0, 102.5)),
            ["101.0000", "50.5000 .. 202.0000", "-", "102.5000", "-1.5000"]
        );
        let mut falls = logged(PRICE_TASK, 100.0, 102.5);
        falls.made.direction = Some(Move::Down);
        assert_eq!(cells(&falls)[0], "100.0000 DOWN");
        assert_eq!(
            cells(&logged(VOLATILITY_TASK, 0.02, 0.0125)),
            ["2.000 %", "1.000 % .. 4.000 %", "-", "1.250 %", "0.750 %"]
        );
        let class = |number: f64| {
            let mut p = logged(DIRECTION_TASK, number, 101.0);
            p.made.borders = Some(ClassBorders { sell_at: 99.0, buy_at: 101.0 });
            p.made.confidence = Some(0.4);
            p.error = None;
            p
        };
        assert_eq!(cells(&class(1.0)), ["BUY", "HOLD 99.0000 .. 101.0000", "0.40", "BUY 101.0000", "right"]);
        assert_eq!(cells(&class(-1.0))[4], "wrong");
        let open = LoggedPrediction { actual: None, ..class(0.0) };
        assert_eq!(cells(&open), ["HOLD", "HOLD 99.0000 .. 101.0000", "0.40", "-", "-"]);
    }

    #[test]
    fn figures_of_each_task_stand_in_a_table_of_their_own() {
        let classes = (0..3)
            .map(|i| ScoredClass {
                origin: i * Interval::H1.ms(),
                step: 1,
                class: Action::Buy,
                actual: if i == 0 { Action::Buy } else { Action::Hold },
                confidence: Some(0.5),
            })
            .collect();
        let volatility = vec![ScoredVolatility { origin: 0, step: 1, prediction: 0.02, actual: 0.03, interval: None }];
        let models = accuracy(
            [
                (("c".to_owned(), key()), ScoredLog { direction: classes, ..ScoredLog::default() }),
                (("v".to_owned(), key()), ScoredLog { volatility, ..ScoredLog::default() }),
            ]
            .into(),
        );
        let range = Some(TimeRange::ALL);
        let text = accuracy_text(&Accuracy { range, cut: false, rolled_up: 0, corrected: 0, models: models.clone() });
        assert!(!text.contains("older predictions"), "{text}");
        let summed = accuracy_text(&Accuracy { range, cut: false, rolled_up: 9, corrected: 4, models });
        assert!(summed.contains("9 older predictions count by their sums"), "{summed}");
        assert!(summed.contains("warning: 4 of these"), "{summed}");
        assert!(text.contains("66.7 % HOLD") && text.contains("33.3 %"), "{text}");
        assert!(text.contains("QLIKE") && text.contains("1.000 %"), "{text}");
        assert!(text.contains("c 1: too few to tell (3 independent)"), "{text}");
        assert!(text.contains("c: class of all origins, 1969-12-31 to 1970-01-01: 33.3 % (too few"), "{text}");
        assert!(text.contains("v 1: too few to tell (1 independent)"), "{text}");
        assert!(!text.contains("MAPE"), "there are no prices: {text}");
    }

    #[test]
    fn a_task_that_there_is_not_is_refused_with_those_there_are() {
        assert_eq!(task("direction"), Ok("direction".to_owned()));
        assert!(task("prize").unwrap_err().contains("price, direction, volatility"));
    }
}
