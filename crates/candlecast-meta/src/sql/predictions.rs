//! The prediction log in SQL.

use async_trait::async_trait;
use candlecast_core::{Move, SeriesKey, TimeRange, Timestamp};

use super::roll_up::mark_corrected;
use super::select::Select;
use crate::db::{Record, Statement};
use crate::predictions::{
    ClassBorders, DIRECTION_TASK, LoggedPrediction, NewPrediction, PRICE_TASK, PredictionFilter, PredictionId,
    PredictionStatus, PredictionStore, PredictionsOf, PriceInterval, Settled,
};
use crate::roll_up::day_of;
use crate::{MetaError, Page, PageRequest, SqlStore, check};

pub(super) const COLUMNS: &str = "model_id, venue, symbol, \"interval\", origin, step, target_time, made_at, base_price, \
    prediction, lower_price, upper_price, interval_level, confidence, task, sell_at, buy_at, direction, status, actual, \
    error, validated_at";

/// Columns that are written when a prediction is logged.
const MADE_COLUMNS: &str = "model_id, venue, symbol, \"interval\", origin, step, target_time, made_at, base_price, \
    prediction, lower_price, upper_price, interval_level, confidence, task, sell_at, buy_at, direction, status";

/// Values a logged prediction takes.
const MADE_VALUES: usize = 18;

/// Predictions written by one statement; 18 values each, of at most 32,766 that SQLite takes.
const BATCH: usize = 500;

#[async_trait]
impl PredictionStore for SqlStore {
    async fn append_predictions(&self, predictions: &[NewPrediction]) -> Result<u64, MetaError> {
        let rolled_up = self.rolled_up_days(predictions).await?;
        let is_open = |made: &&NewPrediction| {
            rolled_up.is_empty()
                || !rolled_up.contains(&(made.model_id.clone(), made.series.clone(), day_of(made.target_time)))
        };
        let open: Vec<&NewPrediction> = predictions.iter().filter(is_open).collect();
        let statements = open.chunks(BATCH).map(insert).collect::<Result<Vec<_>, MetaError>>()?;
        Ok(self.db.change_all(statements).await?.iter().sum())
    }

    async fn predictions(
        &self,
        filter: &PredictionFilter,
        page: PageRequest,
    ) -> Result<Page<LoggedPrediction>, MetaError> {
        let mut select = Select::new(COLUMNS, "ml_predictions", "target_time");
        choose(&mut select, &filter.of, filter.target);
        if let Some(task) = &filter.task {
            with_task(&mut select, task);
        }
        if let Some(status) = filter.status {
            with_status(&mut select, status);
        }
        select.page(&self.db, page, read).await
    }

    async fn due_predictions(
        &self,
        of: &PredictionsOf,
        now: Timestamp,
        page: PageRequest,
    ) -> Result<Page<LoggedPrediction>, MetaError> {
        let mut select = Select::new(COLUMNS, "ml_predictions", "target_time");
        select.oldest_first();
        choose(&mut select, of, TimeRange { to: now.plus_ms(1), ..TimeRange::ALL });
        with_status(&mut select, PredictionStatus::Pending);
        select.page(&self.db, page, read).await
    }

    async fn count_pending(&self, at_most: u64) -> Result<u64, MetaError> {
        // Walks the index of those that are pending, and no farther than asked.
        let statement = Statement::new(
            "SELECT COUNT(*) AS n FROM (SELECT seq FROM ml_predictions WHERE status = 'pending' LIMIT $1) AS pending",
        );
        let row = self.db.row(statement.bind(check::whole("at_most", at_most)?)).await?;
        row.map_or(Ok(0), |row| row.narrow("n"))
    }

    async fn settle_predictions(&self, settled: &[Settled], now: Timestamp) -> Result<u64, MetaError> {
        let (scored, unscorable): (Vec<&Settled>, Vec<&Settled>) = settled.iter().partition(|one| one.actual.is_some());
        let scored = scored.chunks(BATCH).map(|some| validate(some, now));
        let unscorable = unscorable.chunks(BATCH).map(|some| Ok(give_up(some, now)));
        let statements = scored.chain(unscorable).collect::<Result<Vec<_>, MetaError>>()?;
        Ok(self.db.change_all(statements).await?.iter().sum())
    }

    async fn reopen_predictions(&self, series: &SeriesKey, target: TimeRange) -> Result<u64, MetaError> {
        let reopened = reopened(series, target);
        let n = reopened.len();
        let statements = reopened.into_iter().chain(mark_corrected(series, target)).collect();
        Ok(self.db.change_all(statements).await?.iter().take(n).sum())
    }

    async fn recheck_predictions(&self, series: &SeriesKey, target: TimeRange) -> Result<u64, MetaError> {
        Ok(self.db.change_all(reopened(series, target)).await?.iter().sum())
    }
}

fn choose(select: &mut Select, of: &PredictionsOf, target: TimeRange) {
    match of {
        PredictionsOf::All => {}
        PredictionsOf::Model(id) => select.compare("model_id =", id.as_str()),
        PredictionsOf::Series(series) => select.series(series),
    }
    if target.from != TimeRange::ALL.from {
        select.compare("target_time >=", target.from);
    }
    if target.to != TimeRange::ALL.to {
        select.compare("target_time <", target.to);
    }
}

/// The status as a constant, not a value: only so are the partial indices used.
fn with_status(select: &mut Select, status: PredictionStatus) {
    select.literal(&format!("status = '{status}'"));
}

/// Of one task. Only with the constant condition is the partial index of other tasks than prices used.
fn with_task(select: &mut Select, task: &str) {
    if task != PRICE_TASK {
        select.literal("task <> 'price'");
    }
    select.compare("task =", task);
}

/// Settled predictions of `series` whose outcome depends on closes in `target` wait again.
fn reopened(series: &SeriesKey, target: TimeRange) -> Vec<Statement> {
    let met_there = reopen("target_time >= $4 AND target_time < $5", series).bind(target.from).bind(target.to);
    // A volatility depends on every close after its origin. The task is a constant for the sake of its index.
    let reaching_over = reopen("task = 'volatility' AND target_time >= $4 AND origin < $5", series)
        .bind(target.to)
        .bind(target.to.plus_ms(-1));
    vec![met_there, reaching_over]
}

/// Settled predictions of `series` that meet `condition` wait again; its values `$4` and on are still to be bound.
fn reopen(condition: &str, series: &SeriesKey) -> Statement {
    Statement::new(format!(
        "UPDATE ml_predictions SET status = 'pending', actual = NULL, error = NULL, validated_at = NULL \
         WHERE venue = $1 AND symbol = $2 AND \"interval\" = $3 AND {condition} AND status <> 'pending'"
    ))
    .bind(series.venue.as_str())
    .bind(series.symbol.as_str())
    .bind(series.interval.to_string())
}

fn insert(predictions: &[&NewPrediction]) -> Result<Statement, MetaError> {
    let rows: Vec<String> = (0..predictions.len())
        .map(|i| {
            let places: Vec<String> = (1..=MADE_VALUES).map(|k| format!("${}", i * MADE_VALUES + k)).collect();
            format!("({}, 'pending')", places.join(", "))
        })
        .collect();
    let sql = format!("INSERT INTO ml_predictions ({MADE_COLUMNS}) VALUES {} ON CONFLICT DO NOTHING", rows.join(", "));
    predictions.iter().try_fold(Statement::new(sql), |statement, made| bind_made(statement, made))
}

fn bind_made(statement: Statement, made: &NewPrediction) -> Result<Statement, MetaError> {
    if made.step == 0 {
        return Err(MetaError::invalid("step", "0", "count steps from 1"));
    }
    if let Some(PriceInterval { lower, upper, .. }) = made.interval.filter(|i| i.lower > i.upper) {
        return Err(MetaError::invalid("interval", &format!("{lower}..{upper}"), "give the lower bound first"));
    }
    if made.direction.is_some() && made.task != PRICE_TASK {
        return Err(MetaError::invalid("direction", &made.task, "give it with a price, and with nothing else"));
    }
    if (made.task == DIRECTION_TASK) != made.borders.is_some() {
        return Err(MetaError::invalid("borders", &made.task, "give them with a direction, and with nothing else"));
    }
    if let Some(ClassBorders { sell_at, buy_at }) = made.borders.filter(|b| b.sell_at > b.buy_at) {
        return Err(MetaError::invalid("borders", &format!("{sell_at}..{buy_at}"), "give the lower border first"));
    }
    Ok(statement
        .bind(check::id("model_id", &made.model_id)?)
        .bind(made.series.venue.as_str())
        .bind(made.series.symbol.as_str())
        .bind(made.series.interval.to_string())
        .bind(made.origin)
        .bind(made.step)
        .bind(made.target_time)
        .bind(made.made_at)
        .bind(check::finite("base_price", made.base_price)?)
        .bind(check::finite("prediction", made.prediction)?)
        .bind(check::finite_if_any("lower", made.interval.map(|i| i.lower))?)
        .bind(check::finite_if_any("upper", made.interval.map(|i| i.upper))?)
        .bind(check::finite_if_any("level", made.interval.map(|i| i.level))?)
        .bind(check::finite_if_any("confidence", made.confidence)?)
        .bind(check::id("task", &made.task)?)
        .bind(check::finite_if_any("sell_at", made.borders.map(|b| b.sell_at))?)
        .bind(check::finite_if_any("buy_at", made.borders.map(|b| b.buy_at))?)
        .bind(made.direction.map(Move::as_str)))
}

/// One statement for many: a statement a prediction would cost a switch of threads each. Both databases call the columns
/// of VALUES `column1`, `column2`. Between a class and a close there is no difference to record.
fn validate(scored: &[&Settled], now: Timestamp) -> Result<Statement, MetaError> {
    let rows: Vec<String> = (0..scored.len())
        .map(|i| format!("(CAST(${} AS BIGINT), CAST(${} AS DOUBLE PRECISION))", 2 * i + 2, 2 * i + 3))
        .collect();
    let sql = format!(
        "UPDATE ml_predictions SET status = 'validated', validated_at = $1, actual = outcome.column2, \
         error = CASE WHEN task = 'direction' THEN NULL ELSE prediction - outcome.column2 END \
         FROM (VALUES {}) AS outcome \
         WHERE ml_predictions.seq = outcome.column1 AND ml_predictions.status = 'pending'",
        rows.join(", ")
    );
    scored.iter().try_fold(Statement::new(sql).bind(now), |statement, one| {
        let actual = one.actual.map(|actual| check::finite("actual", actual)).transpose()?;
        Ok(statement.bind(one.id.0).bind(actual))
    })
}

fn give_up(unscorable: &[&Settled], now: Timestamp) -> Statement {
    let ids: Vec<String> = (0..unscorable.len()).map(|i| format!("${}", i + 2)).collect();
    let sql = format!(
        "UPDATE ml_predictions SET status = 'unscorable', validated_at = $1 \
         WHERE seq IN ({}) AND status = 'pending'",
        ids.join(", ")
    );
    unscorable.iter().fold(Statement::new(sql).bind(now), |statement, one| statement.bind(one.id.0))
}

pub(super) fn read(row: &Record) -> Result<LoggedPrediction, MetaError> {
    Ok(LoggedPrediction {
        id: PredictionId(row.int("seq")?),
        made: NewPrediction {
            task: row.text("task")?,
            model_id: row.text("model_id")?,
            series: row.series()?,
            origin: row.time("origin")?,
            step: row.narrow("step")?,
            target_time: row.time("target_time")?,
            made_at: row.time("made_at")?,
            base_price: row.real("base_price")?,
            prediction: row.real("prediction")?,
            interval: interval(row)?,
            borders: borders(row)?,
            confidence: row.real_if_any("confidence")?,
            direction: direction(row)?,
        },
        status: row.parsed("status")?,
        actual: row.real_if_any("actual")?,
        error: row.real_if_any("error")?,
        validated_at: row.time_if_any("validated_at")?,
    })
}

fn interval(row: &Record) -> Result<Option<PriceInterval>, MetaError> {
    let Some(lower) = row.real_if_any("lower_price")? else { return Ok(None) };
    Ok(Some(PriceInterval { lower, upper: row.real("upper_price")?, level: row.real("interval_level")? }))
}

fn borders(row: &Record) -> Result<Option<ClassBorders>, MetaError> {
    let Some(sell_at) = row.real_if_any("sell_at")? else { return Ok(None) };
    Ok(Some(ClassBorders { sell_at, buy_at: row.real("buy_at")? }))
}

fn direction(row: &Record) -> Result<Option<Move>, MetaError> {
    if row.text_if_any("direction")?.is_none() { Ok(None) } else { row.parsed("direction").map(Some) }
}
