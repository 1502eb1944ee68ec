//! Runs in SQL.

use async_trait::async_trait;
use candlecast_core::{Seed, TimeRange, Timestamp};
use serde_json::Value;

use super::select::Select;
use crate::db::{Record, Statement};
use crate::runs::{NewRun, Run, RunFilter, RunState, RunStore};
use crate::{MetaError, Page, PageRequest, SqlStore, check};

const COLUMNS: &str = "id, kind, experiment, state, venue, symbol, \"interval\", model_type, task, horizon_steps, \
    config, config_hash, data_from, data_to, data_fingerprint, seed, program_version, instruction_set, job_id, \
    started_at, finished_at, result, error";

/// Runs whose folds are forgotten by one statement.
const BATCH: usize = 500;

#[async_trait]
impl RunStore for SqlStore {
    async fn start_run(&self, run: &NewRun) -> Result<bool, MetaError> {
        Ok(self.db.change(insert(run)?).await? == 1)
    }

    async fn finish_run(
        &self,
        run_id: &str,
        state: RunState,
        result: Option<&Value>,
        error: Option<&str>,
        now: Timestamp,
    ) -> Result<(), MetaError> {
        if state == RunState::Running {
            return Err(MetaError::invalid("state", "running", "name the state the run ended in"));
        }
        let statement = Statement::new(
            "UPDATE ml_runs SET state = $2, result = $3, error = $4, finished_at = $5 \
             WHERE id = $1 AND state = 'running'",
        )
        .bind(run_id)
        .bind(state)
        .bind(result.map(|value| check::json("result", value)).transpose()?)
        .bind(error.map(check::free_text))
        .bind(now);
        if self.db.change(statement).await? == 1 {
            return Ok(());
        }
        match self.run(run_id).await?.state {
            same if same == state => Ok(()),
            other => Err(MetaError::conflict("run", run_id, format!("has ended already: it is {other}"))),
        }
    }

    async fn run(&self, run_id: &str) -> Result<Run, MetaError> {
        let statement = Statement::new(format!("SELECT {COLUMNS} FROM ml_runs WHERE id = $1"));
        let row = self.db.row(statement.bind(run_id)).await?;
        read(&row.ok_or_else(|| MetaError::not_found("run", run_id))?)
    }

    async fn runs_named(&self, kind: &str, prefix: &str, limit: u32) -> Result<Vec<Run>, MetaError> {
        let limit = PageRequest::first(limit).checked_limit()?;
        let statement = Statement::new(format!(
            "SELECT {COLUMNS} FROM ml_runs WHERE kind = $1 AND substr(id, 1, length($2)) = $2 ORDER BY id LIMIT $3"
        ));
        let rows = self.db.rows(statement.bind(kind).bind(prefix).bind(limit)).await?;
        rows.iter().map(read).collect()
    }

    async fn runs(&self, filter: &RunFilter, page: PageRequest) -> Result<Page<Run>, MetaError> {
        let mut select = Select::new(COLUMNS, "ml_runs", "started_at");
        select.any_of("kind", filter.kind.as_deref());
        select.any_of("state", filter.state);
        select.any_of("model_type", filter.model_type.as_deref());
        select.any_of("config_hash", filter.config_hash.as_deref());
        select.any_of("experiment", filter.experiment.as_deref());
        if let Some(series) = &filter.series {
            select.series(series);
        }
        select.page(&self.db, page, read).await
    }

    async fn forget_runs(&self, before: Timestamp, limit: u32) -> Result<u64, MetaError> {
        let referred_to = ["ml_models", "ml_ledger", "hpo_studies"]
            .map(|table| format!("NOT EXISTS (SELECT 1 FROM {table} WHERE {table}.run_id = ml_runs.id)"))
            .join(" AND ");
        let gone = Statement::new(format!(
            "DELETE FROM ml_runs WHERE seq IN (SELECT seq FROM ml_runs WHERE state <> 'running' \
             AND COALESCE(finished_at, started_at) < $1 AND {referred_to} ORDER BY seq LIMIT $2) RETURNING id"
        ));
        self.db.change_then(gone.bind(before).bind(limit), |runs| folds_of(&runs)).await
    }
}

/// Forgets the folds of runs.
fn folds_of(runs: &[Record]) -> Result<Vec<Statement>, MetaError> {
    let of_some = |runs: &[Record]| -> Result<Statement, MetaError> {
        let places: Vec<String> = (1..=runs.len()).map(|i| format!("${i}")).collect();
        let statement = Statement::new(format!("DELETE FROM ml_folds WHERE scope IN ({})", places.join(", ")));
        runs.iter().try_fold(statement, |statement, run| Ok(statement.bind(run.text("id")?)))
    };
    runs.chunks(BATCH).map(of_some).collect()
}

fn insert(run: &NewRun) -> Result<Statement, MetaError> {
    let sql = format!(
        "INSERT INTO ml_runs ({COLUMNS}) VALUES ($1, $2, $3, 'running', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, \
         $14, $15, $16, $17, $18, $19, NULL, NULL, NULL) ON CONFLICT (id) DO NOTHING"
    );
    Ok(Statement::new(sql)
        .bind(check::id("id", &run.id)?)
        .bind(check::id("kind", &run.kind)?)
        .bind(run.experiment.as_deref().map(check::free_text))
        .bind(run.series.as_ref().map(|s| s.venue.as_str()))
        .bind(run.series.as_ref().map(|s| s.symbol.as_str()))
        .bind(run.series.as_ref().map(|s| s.interval.to_string()))
        .bind(run.model_type.as_deref())
        .bind(run.task.as_deref())
        .bind(run.horizon_steps)
        .bind(check::json("config", &run.config)?)
        .bind(check::id("config_hash", &run.config_hash)?)
        .bind(run.data_range.map(|range| range.from))
        .bind(run.data_range.map(|range| range.to))
        .bind(run.data_fingerprint.as_deref())
        .bind(run.seed.0.to_string())
        .bind(check::free_text(&run.program_version))
        .bind(check::free_text(&run.instruction_set))
        .bind(run.job_id.as_deref())
        .bind(run.started_at))
}

fn read(row: &Record) -> Result<Run, MetaError> {
    let range = row.time_if_any("data_from")?.zip(row.time_if_any("data_to")?);
    Ok(Run {
        asked: NewRun {
            id: row.text("id")?,
            kind: row.text("kind")?,
            experiment: row.text_if_any("experiment")?,
            series: row.series_if_any()?,
            model_type: row.text_if_any("model_type")?,
            task: row.text_if_any("task")?,
            horizon_steps: row.narrow_if_any("horizon_steps")?,
            config: row.json("config")?,
            config_hash: row.text("config_hash")?,
            data_range: range.map(|(from, to)| TimeRange { from, to }),
            data_fingerprint: row.text_if_any("data_fingerprint")?,
            seed: Seed(row.parsed("seed")?),
            program_version: row.text("program_version")?,
            instruction_set: row.text("instruction_set")?,
            job_id: row.text_if_any("job_id")?,
            started_at: row.time("started_at")?,
        },
        state: row.parsed("state")?,
        finished_at: row.time_if_any("finished_at")?,
        result: row.json_if_any("result")?,
        error: row.text_if_any("error")?,
    })
}
