//! The ledger in SQL.

use async_trait::async_trait;
use candlecast_core::{SeriesKey, TimeRange};

use super::select::Select;
use crate::db::{Record, Statement};
use crate::ledger::{DailyValues, Ledger, LedgerEntry, Tried, TriedDays, TryDays};
use crate::{MetaError, Page, PageRequest, SqlStore, check};

const COLUMNS: &str = "id, kind, venue, symbol, \"interval\", task, model_type, config, config_hash, period_from, \
    period_to, score, sharpe, run_id, tried_at";

#[async_trait]
impl Ledger for SqlStore {
    async fn record_tries_with_days(&self, entries: &[LedgerEntry], days: &[TryDays]) -> Result<u64, MetaError> {
        let statements = entries.iter().map(insert).chain(days.iter().map(insert_days));
        let changed = self.db.change_all(statements.collect::<Result<Vec<_>, MetaError>>()?).await?;
        Ok(changed.iter().take(entries.len()).sum())
    }

    async fn ledger(&self, series: Option<&SeriesKey>, page: PageRequest) -> Result<Page<LedgerEntry>, MetaError> {
        let mut select = Select::new(COLUMNS, "ml_ledger", "tried_at");
        if let Some(series) = series {
            select.series(series);
        }
        select.page(&self.db, page, read).await
    }

    async fn tried(&self, series: &SeriesKey, period: TimeRange, task: Option<&str>) -> Result<Tried, MetaError> {
        let columns = "config_hash, COUNT(*) AS n_entries, AVG(sharpe) AS sharpe";
        summary(&self.db.rows(overlapping(columns, series, period, task)).await?)
    }

    async fn tried_configurations(
        &self,
        series: &SeriesKey,
        period: TimeRange,
        task: &str,
    ) -> Result<Vec<String>, MetaError> {
        let rows = self.db.rows(overlapping("config_hash", series, period, Some(task))).await?;
        rows.iter().map(|row| row.text("config_hash")).collect()
    }

    async fn tried_days(
        &self,
        series: &SeriesKey,
        period: TimeRange,
        task: &str,
        measure: &str,
        limit: u32,
    ) -> Result<Vec<TriedDays>, MetaError> {
        let joined = "ml_ledger JOIN ml_ledger_days ON ml_ledger_days.try_id = ml_ledger.id";
        let mut select = Select::aggregate("config_hash, first_day, body", joined);
        on_period(&mut select, series, period, Some(task));
        select.compare("measure =", measure);
        self.db.rows(select.newest("tried_at", limit)).await?.iter().map(read_days).collect()
    }
}

/// Reads expressions over the entries of each configuration that was tried on a period that overlaps `period`.
fn overlapping(expressions: &str, series: &SeriesKey, period: TimeRange, task: Option<&str>) -> Statement {
    let mut select = Select::aggregate(expressions, "ml_ledger");
    on_period(&mut select, series, period, task);
    select.grouped("config_hash")
}

/// Those that were tried on a period of `series` that overlaps `period`.
fn on_period(select: &mut Select, series: &SeriesKey, period: TimeRange, task: Option<&str>) {
    select.series(series);
    select.compare("period_from <", period.to);
    select.compare("period_to >", period.from);
    select.any_of("task", task);
}

/// Joins the configurations' records.
fn summary(rows: &[Record]) -> Result<Tried, MetaError> {
    let mut n_entries = 0;
    let mut sharpes = Vec::new();
    for row in rows {
        n_entries += row.narrow::<u64>("n_entries")?;
        sharpes.extend(row.real_if_any("sharpe")?);
    }
    Ok(Tried {
        n_entries,
        n_configurations: rows.len() as u64,
        n_sharpes: sharpes.len() as u64,
        sharpe_variance: variance(&sharpes),
    })
}

/// Sample variance; `None` for fewer than two values.
fn variance(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    Some(values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64)
}

fn insert(entry: &LedgerEntry) -> Result<Statement, MetaError> {
    if entry.period.is_empty() {
        return Err(MetaError::invalid("period", &entry.period.to_string(), "name a period that is not empty"));
    }
    let sql = format!(
        "INSERT INTO ml_ledger ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
         ON CONFLICT (id) DO NOTHING"
    );
    Ok(Statement::new(sql)
        .bind(check::id("id", &entry.id)?)
        .bind(check::id("kind", &entry.kind)?)
        .bind(entry.series.venue.as_str())
        .bind(entry.series.symbol.as_str())
        .bind(entry.series.interval.to_string())
        .bind(check::id("task", &entry.task)?)
        .bind(check::id("model_type", &entry.model_type)?)
        .bind(check::json("config", &entry.config)?)
        .bind(check::id("config_hash", &entry.config_hash)?)
        .bind(entry.period.from)
        .bind(entry.period.to)
        .bind(check::finite_if_any("score", entry.score)?)
        .bind(check::finite_if_any("sharpe", entry.sharpe)?)
        .bind(entry.run_id.as_deref())
        .bind(entry.tried_at))
}

fn insert_days(of: &TryDays) -> Result<Statement, MetaError> {
    let DailyValues { first_day, values } = &of.days;
    if values.is_empty() || values.len() > DailyValues::MAX_DAYS {
        let found = values.len().to_string();
        return Err(MetaError::invalid("days", &found, "give the values of 1 to 4,096 days"));
    }
    if let Some(odd) = values.iter().flatten().find(|value| !value.is_finite()) {
        return Err(MetaError::invalid("days", &odd.to_string(), "give finite numbers, or leave days out"));
    }
    let body: Vec<u8> = values.iter().flat_map(|value| value.unwrap_or(f32::NAN).to_le_bytes()).collect();
    let sql = "INSERT INTO ml_ledger_days (try_id, measure, first_day, n_days, body) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (try_id) DO NOTHING";
    Ok(Statement::new(sql)
        .bind(check::id("id", &of.try_id)?)
        .bind(check::id("measure", &of.measure)?)
        .bind(*first_day)
        .bind(values.len() as i64)
        .bind(body))
}

fn read_days(row: &Record) -> Result<TriedDays, MetaError> {
    let body = row.blob("body")?;
    let numbers = body.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    let values = numbers.map(|value| (!value.is_nan()).then_some(value)).collect();
    let days = DailyValues { first_day: row.int("first_day")?, values };
    Ok(TriedDays { config_hash: row.text("config_hash")?, days })
}

fn read(row: &Record) -> Result<LedgerEntry, MetaError> {
    Ok(LedgerEntry {
        id: row.text("id")?,
        kind: row.text("kind")?,
        series: row.series()?,
        task: row.text("task")?,
        model_type: row.text("model_type")?,
        config: row.json("config")?,
        config_hash: row.text("config_hash")?,
        period: TimeRange { from: row.time("period_from")?, to: row.time("period_to")? },
        score: row.real_if_any("score")?,
        sharpe: row.real_if_any("sharpe")?,
        run_id: row.text_if_any("run_id")?,
        tried_at: row.time("tried_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variance_divides_by_one_less() {
        assert_eq!(variance(&[1.0]), None);
        assert_eq!(variance(&[1.0, 2.0, 6.0]), Some(7.0));
    }

    #[tokio::test]
    async fn the_database_itself_refuses_to_forget() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqlStore::open_in(dir.path(), candlecast_core::Timestamp(0)).await.unwrap();
        store.db.change(Statement::new(
            "INSERT INTO ml_ledger (id, kind, venue, symbol, \"interval\", task, model_type, config, config_hash, \
             period_from, period_to, tried_at) VALUES ('a', 'k', 'binance', 'BTCUSDT', '1h', 't', 'm', '{}', 'h', 0, 1, 0)",
        )).await.unwrap();
        store.db.change(Statement::new(
            "INSERT INTO ml_ledger_days (try_id, measure, first_day, n_days, body) VALUES ('a', 'm', 0, 1, x'00000000')",
        )).await.unwrap();
        for sql in [
            "DELETE FROM ml_ledger",
            "UPDATE ml_ledger SET score = 1.0",
            "DELETE FROM ml_ledger_days",
            "UPDATE ml_ledger_days SET first_day = 1",
        ] {
            let error = store.db.change(Statement::new(sql)).await.unwrap_err();
            assert!(error.to_string().contains("append-only"), "{error}");
        }
    }
}
