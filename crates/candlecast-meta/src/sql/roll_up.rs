//! The roll-up in SQL.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use candlecast_core::{SeriesKey, TimeRange, Timestamp};

use super::predictions;
use super::select::Select;
use crate::db::{Record, Statement};
use crate::roll_up::{DAY_MS, PredictionDay, RollUpDue, RollUpStore, SumUp, day_of};
use crate::{
    LoggedPrediction, MetaError, NewPrediction, Page, PageRequest, PredictionStatus, PredictionsOf, SqlStore, check,
};

const TABLE: &str = "ml_prediction_days";

const COLUMNS: &str = "model_id, venue, symbol, \"interval\", task, day, validated, unscorable, first_origin, \
    first_target, last_target, corrected, sums";

/// The highest number of a prediction that was logged by an instant; the place of the instant follows.
const LOGGED_BY: &str = "SELECT COALESCE(MAX(last_seq), 0) FROM ml_prediction_marks WHERE marked_at <=";

/// A model, a series and a day.
pub(super) type ModelDay = (String, SeriesKey, Timestamp);

#[async_trait]
impl RollUpStore for SqlStore {
    async fn mark_predictions(&self, at: Timestamp, oldest_asked: Timestamp) -> Result<(), MetaError> {
        // Without WHERE, ON CONFLICT would read as the condition of a join.
        let mark = Statement::new(
            "INSERT INTO ml_prediction_marks (marked_at, last_seq) \
             SELECT CASE WHEN EXISTS (SELECT 1 FROM ml_prediction_marks) THEN CAST($1 AS BIGINT) ELSE 0 END, \
             COALESCE(MAX(seq), 0) FROM ml_predictions WHERE 1 = 1 ON CONFLICT (marked_at) DO NOTHING",
        )
        .bind(at);
        let drop_older = Statement::new(
            "DELETE FROM ml_prediction_marks WHERE marked_at < \
             (SELECT MAX(marked_at) FROM ml_prediction_marks WHERE marked_at <= $1)",
        )
        .bind(oldest_asked);
        self.db.change_all(vec![mark, drop_older]).await.map(drop)
    }

    async fn roll_up_predictions(&self, due: &RollUpDue, sum_up: &SumUp, now: Timestamp) -> Result<u64, MetaError> {
        let Some(model_id) = self.model_with_due(due).await? else { return Ok(0) };
        let columns = predictions::COLUMNS;
        let take = Statement::new(format!(
            "DELETE FROM ml_predictions WHERE status <> 'pending' AND seq IN (SELECT seq FROM ml_predictions \
             WHERE model_id = $1 AND target_time < $2 AND seq <= ({LOGGED_BY} $3) AND status <> 'pending' \
             ORDER BY target_time, seq LIMIT $4) RETURNING seq, {columns}"
        ))
        .bind(model_id)
        .bind(due.target_before)
        .bind(due.logged_by)
        .bind(due.limit);
        self.db.change_then(take, |records| summed_up(&records, sum_up, now)).await
    }

    async fn roll_up_state(&self) -> Result<i64, MetaError> {
        // Not the highest number: of two that roll up at once the first to begin may be the last to count.
        let row = self.db.row(Statement::new(format!("SELECT COUNT(*) AS n FROM {TABLE}"))).await?;
        row.map_or(Ok(0), |row| row.int("n"))
    }

    async fn prediction_days(
        &self,
        of: &PredictionsOf,
        task: Option<&str>,
        range: TimeRange,
        page: PageRequest,
    ) -> Result<Page<PredictionDay>, MetaError> {
        let mut select = Select::new(COLUMNS, TABLE, "day");
        choose(&mut select, of, task);
        if range.from != TimeRange::ALL.from {
            select.compare("day >=", range.from);
        }
        if range.to != TimeRange::ALL.to {
            select.compare("day <=", range.to.plus_ms(-DAY_MS));
        }
        select.page(&self.db, page, read).await
    }

    async fn newest_rolled_up(&self, of: &PredictionsOf, task: Option<&str>) -> Result<Option<Timestamp>, MetaError> {
        let mut select = Select::aggregate("task, MAX(last_target) AS newest", TABLE);
        choose(&mut select, of, task);
        let rows = self.db.rows(select.grouped("task")).await?;
        let newest = rows.iter().map(|row| row.time("newest")).collect::<Result<Vec<_>, MetaError>>()?;
        Ok(newest.into_iter().max())
    }
}

impl SqlStore {
    /// The model whose predictions have waited longest for being rolled up.
    async fn model_with_due(&self, due: &RollUpDue) -> Result<Option<String>, MetaError> {
        // The sign keeps the index by target time out of it: in order of their numbers few are passed over, while in
        // order of their targets those of a replay, which were logged lately, may all come first.
        let statement = Statement::new(format!(
            "SELECT model_id FROM ml_predictions WHERE seq <= ({LOGGED_BY} $1) AND +target_time < $2 \
             AND status <> 'pending' ORDER BY seq LIMIT 1"
        ))
        .bind(due.logged_by)
        .bind(due.target_before);
        self.db.row(statement).await?.map(|row| row.text("model_id")).transpose()
    }

    /// The days of which predictions were rolled up, among those that targets of `made` lie in.
    pub(super) async fn rolled_up_days(&self, made: &[NewPrediction]) -> Result<BTreeSet<ModelDay>, MetaError> {
        let days = || made.iter().map(|made| day_of(made.target_time));
        let (Some(first), Some(last)) = (days().min(), days().max()) else { return Ok(BTreeSet::new()) };
        let mut select = Select::aggregate("model_id, venue, symbol, \"interval\", day", TABLE);
        select.compare("day >=", first);
        select.compare("day <=", last);
        let rows = self.db.rows(select.grouped("model_id, venue, symbol, \"interval\", day")).await?;
        rows.iter().map(|row| Ok((row.text("model_id")?, row.series()?, row.time("day")?))).collect()
    }
}

/// The records of the days of predictions that were taken out of the log.
fn summed_up(records: &[Record], sum_up: &SumUp, now: Timestamp) -> Result<Vec<Statement>, MetaError> {
    let mut logged = records.iter().map(predictions::read).collect::<Result<Vec<_>, MetaError>>()?;
    logged.sort_by_key(|p| (p.made.target_time, p.id));
    let mut days: BTreeMap<(SeriesKey, String, Timestamp), Vec<LoggedPrediction>> = BTreeMap::new();
    for prediction in logged {
        let made = &prediction.made;
        let day = (made.series.clone(), made.task.clone(), day_of(made.target_time));
        days.entry(day).or_default().push(prediction);
    }
    days.into_values().filter_map(|logged| day(logged, sum_up)).map(|day| insert(&day, now)).collect()
}

/// The record of predictions of one model, series, task and day; `None` without any.
fn day(logged: Vec<LoggedPrediction>, sum_up: &SumUp) -> Option<PredictionDay> {
    let first_origin = logged.iter().map(|p| p.made.origin).min()?;
    let (made, last_of_all) = (logged.first()?.made.clone(), logged.last()?.made.target_time);
    let n = logged.len();
    let validated: Vec<LoggedPrediction> =
        logged.into_iter().filter(|p| p.status == PredictionStatus::Validated).collect();
    Some(PredictionDay {
        day: day_of(made.target_time),
        validated: validated.len() as u64,
        unscorable: (n - validated.len()) as u64,
        first_origin,
        first_target: validated.first().map_or(made.target_time, |p| p.made.target_time),
        last_target: validated.last().map_or(last_of_all, |p| p.made.target_time),
        corrected: false,
        sums: sum_up(&validated),
        model_id: made.model_id,
        series: made.series,
        task: made.task,
    })
}

fn insert(day: &PredictionDay, now: Timestamp) -> Result<Statement, MetaError> {
    let sql = format!(
        "INSERT INTO {TABLE} ({COLUMNS}, rolled_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
    );
    Ok(Statement::new(sql)
        .bind(day.model_id.as_str())
        .bind(day.series.venue.as_str())
        .bind(day.series.symbol.as_str())
        .bind(day.series.interval.to_string())
        .bind(day.task.as_str())
        .bind(day.day)
        .bind(check::whole("validated", day.validated)?)
        .bind(check::whole("unscorable", day.unscorable)?)
        .bind(day.first_origin)
        .bind(day.first_target)
        .bind(day.last_target)
        .bind(day.corrected)
        .bind(day.sums.as_str())
        .bind(now))
}

/// Marks days of `series` that rest on candles whose closes lie in `target`: those that have a target there, as far as a
/// day tells, and those of volatilities that reach over it.
pub(super) fn mark_corrected(series: &SeriesKey, target: TimeRange) -> Vec<Statement> {
    let mark = |condition: &str| {
        Statement::new(format!(
            "UPDATE {TABLE} SET corrected = 1 WHERE venue = $1 AND symbol = $2 AND \"interval\" = $3 \
             AND day > $4 AND {condition} AND corrected = 0"
        ))
        .bind(series.venue.as_str())
        .bind(series.symbol.as_str())
        .bind(series.interval.to_string())
        .bind(target.from.plus_ms(-DAY_MS))
    };
    // A volatility depends on every close after its origin.
    let reaching_over = mark("task = 'volatility' AND first_origin < $5").bind(target.to.plus_ms(-1));
    vec![mark("day < $5").bind(target.to), reaching_over]
}

fn choose(select: &mut Select, of: &PredictionsOf, task: Option<&str>) {
    match of {
        PredictionsOf::All => {}
        PredictionsOf::Model(id) => select.compare("model_id =", id.as_str()),
        PredictionsOf::Series(series) => select.series(series),
    }
    if let Some(task) = task {
        select.compare("task =", task);
    }
    select.literal("validated > 0");
}

fn read(row: &Record) -> Result<PredictionDay, MetaError> {
    Ok(PredictionDay {
        model_id: row.text("model_id")?,
        series: row.series()?,
        task: row.text("task")?,
        day: row.time("day")?,
        validated: row.narrow("validated")?,
        unscorable: row.narrow("unscorable")?,
        first_origin: row.time("first_origin")?,
        first_target: row.time("first_target")?,
        last_target: row.time("last_target")?,
        corrected: row.flag("corrected")?,
        sums: row.text("sums")?,
    })
}
