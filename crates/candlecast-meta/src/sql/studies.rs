//! Studies, trials and folds in SQL.

use async_trait::async_trait;
use candlecast_core::{Seed, Timestamp};
use serde_json::Value;

use super::select::Select;
use crate::db::{Record, Statement};
use crate::error::Rule;
use crate::studies::{Fold, NewStudy, Study, StudyStore, Trial, TrialEnd, TrialState};
use crate::{MetaError, Page, PageRequest, RunState, SqlStore, check};

const STUDY_COLUMNS: &str = "id, run_id, state, venue, symbol, \"interval\", model_type, objective, direction, space, \
    sampler, pruner, seed, max_trials, created_at, finished_at";
const TRIAL_COLUMNS: &str = "study_id, number, state, owner, params, value, metrics, error, started_at, finished_at";
const FOLD_COLUMNS: &str = "scope, trial, fold, value, metrics, duration_ms, finished_at";

#[async_trait]
impl StudyStore for SqlStore {
    async fn start_study(&self, study: &NewStudy) -> Result<bool, MetaError> {
        Ok(self.db.change(insert_study(study)?).await? == 1)
    }

    async fn finish_study(&self, study_id: &str, state: RunState, now: Timestamp) -> Result<(), MetaError> {
        if state == RunState::Running {
            return Err(MetaError::invalid("state", "running", "name the state the study ended in"));
        }
        let statement =
            Statement::new("UPDATE hpo_studies SET state = $2, finished_at = $3 WHERE id = $1 AND state = 'running'");
        if self.db.change(statement.bind(study_id).bind(state).bind(now)).await? == 1 {
            return Ok(());
        }
        match self.study(study_id).await?.state {
            same if same == state => Ok(()),
            other => Err(MetaError::conflict("study", study_id, format!("has ended already: it is {other}"))),
        }
    }

    async fn study(&self, study_id: &str) -> Result<Study, MetaError> {
        let statement = Statement::new(format!("SELECT {STUDY_COLUMNS} FROM hpo_studies WHERE id = $1"));
        let row = self.db.row(statement.bind(study_id)).await?;
        read_study(&row.ok_or_else(|| MetaError::not_found("study", study_id))?)
    }

    async fn studies(&self, page: PageRequest) -> Result<Page<Study>, MetaError> {
        Select::new(STUDY_COLUMNS, "hpo_studies", "created_at").page(&self.db, page, read_study).await
    }

    async fn begin_trial(
        &self,
        study_id: &str,
        number: u32,
        owner: &str,
        params: &Value,
        now: Timestamp,
    ) -> Result<bool, MetaError> {
        let sql = "INSERT INTO hpo_trials (study_id, number, state, owner, params, started_at) \
                   VALUES ($1, $2, 'running', $3, $4, $5) ON CONFLICT (study_id, number) DO NOTHING";
        let statement = Statement::new(sql)
            .bind(study_id)
            .bind(number)
            .bind(check::id("owner", owner)?)
            .bind(check::json("params", params)?)
            .bind(now);
        match self.db.change(statement).await {
            Err(error) if error.is_rule(Rule::Reference) => Err(MetaError::not_found("study", study_id)),
            Ok(0) => {
                let trial = self.trial(study_id, number).await?;
                Ok(trial.state == TrialState::Running && trial.owner == owner)
            }
            answer => answer.map(|_| true),
        }
    }

    async fn finish_trial(
        &self,
        study_id: &str,
        number: u32,
        owner: &str,
        end: &TrialEnd,
        now: Timestamp,
    ) -> Result<(), MetaError> {
        if self.db.change(finish(study_id, number, owner, end, now)?).await? == 1 {
            return Ok(());
        }
        let trial = self.trial(study_id, number).await?;
        if trial.owner == owner && trial.state == end_state(end) {
            return Ok(());
        }
        let problem = format!("trial {number} is {} with {}: evaluate another one", trial.state, trial.owner);
        Err(MetaError::conflict("study", study_id, problem))
    }

    async fn take_over_trials(&self, study_id: &str, from: &str, to: &str) -> Result<Vec<u32>, MetaError> {
        let sql = "UPDATE hpo_trials SET owner = $3 WHERE study_id = $1 AND owner = $2 AND state = 'running' \
                   RETURNING number";
        let statement = Statement::new(sql).bind(study_id).bind(from).bind(check::id("owner", to)?);
        let rows = self.db.changed_rows(statement).await?;
        let mut numbers = rows.iter().map(|row| row.narrow("number")).collect::<Result<Vec<u32>, MetaError>>()?;
        numbers.sort_unstable();
        Ok(numbers)
    }

    async fn trials(&self, study_id: &str) -> Result<Vec<Trial>, MetaError> {
        let sql = format!("SELECT {TRIAL_COLUMNS} FROM hpo_trials WHERE study_id = $1 ORDER BY number");
        self.db.rows(Statement::new(sql).bind(study_id)).await?.iter().map(read_trial).collect()
    }

    async fn put_fold(&self, fold: &Fold) -> Result<bool, MetaError> {
        let sql = format!(
            "INSERT INTO ml_folds ({FOLD_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (scope, trial, fold) DO NOTHING"
        );
        let statement = Statement::new(sql)
            .bind(check::id("scope", &fold.scope)?)
            .bind(fold.trial)
            .bind(fold.fold)
            .bind(check::finite_if_any("value", fold.value)?)
            .bind(check::json("metrics", &fold.metrics)?)
            .bind(check::whole("duration_ms", fold.duration_ms)?)
            .bind(fold.finished_at);
        Ok(self.db.change(statement).await? == 1)
    }

    async fn folds(&self, scope: &str, trial: u32) -> Result<Vec<Fold>, MetaError> {
        let sql = format!("SELECT {FOLD_COLUMNS} FROM ml_folds WHERE scope = $1 AND trial = $2 ORDER BY fold");
        self.db.rows(Statement::new(sql).bind(scope).bind(trial)).await?.iter().map(read_fold).collect()
    }

    async fn delete_study(&self, study_id: &str) -> Result<bool, MetaError> {
        let changed = self
            .db
            .change_all(vec![
                Statement::new("DELETE FROM hpo_studies WHERE id = $1").bind(study_id),
                Statement::new("DELETE FROM ml_folds WHERE scope = $1").bind(study_id),
            ])
            .await?;
        Ok(changed.first() == Some(&1))
    }
}

impl SqlStore {
    async fn trial(&self, study_id: &str, number: u32) -> Result<Trial, MetaError> {
        let sql = format!("SELECT {TRIAL_COLUMNS} FROM hpo_trials WHERE study_id = $1 AND number = $2");
        let row = self.db.row(Statement::new(sql).bind(study_id).bind(number)).await?;
        read_trial(&row.ok_or_else(|| MetaError::not_found("trial", &format!("{study_id}/{number}")))?)
    }
}

fn insert_study(study: &NewStudy) -> Result<Statement, MetaError> {
    if study.max_trials == 0 {
        return Err(MetaError::invalid("max_trials", "0", "allow at least one trial"));
    }
    let sql = format!(
        "INSERT INTO hpo_studies ({STUDY_COLUMNS}) VALUES ($1, $2, 'running', $3, $4, $5, $6, $7, $8, $9, $10, $11, \
         $12, $13, $14, NULL) ON CONFLICT (id) DO NOTHING"
    );
    Ok(Statement::new(sql)
        .bind(check::id("id", &study.id)?)
        .bind(study.run_id.as_deref())
        .bind(study.series.venue.as_str())
        .bind(study.series.symbol.as_str())
        .bind(study.series.interval.to_string())
        .bind(check::id("model_type", &study.model_type)?)
        .bind(check::id("objective", &study.objective)?)
        .bind(study.goal)
        .bind(check::json("space", &study.space)?)
        .bind(check::free_text(&study.sampler))
        .bind(study.pruner.as_deref().map(check::free_text))
        .bind(study.seed.0.to_string())
        .bind(study.max_trials)
        .bind(study.created_at))
}

fn finish(study_id: &str, number: u32, owner: &str, end: &TrialEnd, now: Timestamp) -> Result<Statement, MetaError> {
    let (value, metrics, error) = match end {
        TrialEnd::Complete { value, metrics } => (Some(*value), Some(check::json("metrics", metrics)?), None),
        TrialEnd::Pruned { value, metrics } => (*value, Some(check::json("metrics", metrics)?), None),
        TrialEnd::Failed(error) => (None, None, Some(check::free_text(error))),
    };
    let sql = "UPDATE hpo_trials SET state = $4, value = $5, metrics = $6, error = $7, finished_at = $8 \
               WHERE study_id = $1 AND number = $2 AND owner = $3 AND state = 'running'";
    Ok(Statement::new(sql)
        .bind(study_id)
        .bind(number)
        .bind(owner)
        .bind(end_state(end))
        .bind(check::finite_if_any("value", value)?)
        .bind(metrics)
        .bind(error)
        .bind(now))
}

fn end_state(end: &TrialEnd) -> TrialState {
    match end {
        TrialEnd::Complete { .. } => TrialState::Complete,
        TrialEnd::Pruned { .. } => TrialState::Pruned,
        TrialEnd::Failed(_) => TrialState::Failed,
    }
}

fn read_study(row: &Record) -> Result<Study, MetaError> {
    Ok(Study {
        asked: NewStudy {
            id: row.text("id")?,
            run_id: row.text_if_any("run_id")?,
            series: row.series()?,
            model_type: row.text("model_type")?,
            objective: row.text("objective")?,
            goal: row.parsed("direction")?,
            space: row.json("space")?,
            sampler: row.text("sampler")?,
            pruner: row.text_if_any("pruner")?,
            seed: Seed(row.parsed("seed")?),
            max_trials: row.narrow("max_trials")?,
            created_at: row.time("created_at")?,
        },
        state: row.parsed("state")?,
        finished_at: row.time_if_any("finished_at")?,
    })
}

fn read_trial(row: &Record) -> Result<Trial, MetaError> {
    Ok(Trial {
        study_id: row.text("study_id")?,
        number: row.narrow("number")?,
        state: row.parsed("state")?,
        owner: row.text("owner")?,
        params: row.json("params")?,
        value: row.real_if_any("value")?,
        metrics: row.json_if_any("metrics")?,
        error: row.text_if_any("error")?,
        started_at: row.time("started_at")?,
        finished_at: row.time_if_any("finished_at")?,
    })
}

fn read_fold(row: &Record) -> Result<Fold, MetaError> {
    Ok(Fold {
        scope: row.text("scope")?,
        trial: row.narrow("trial")?,
        fold: row.narrow("fold")?,
        value: row.real_if_any("value")?,
        metrics: row.json("metrics")?,
        duration_ms: row.narrow("duration_ms")?,
        finished_at: row.time("finished_at")?,
    })
}
