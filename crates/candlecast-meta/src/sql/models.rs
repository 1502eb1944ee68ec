//! The index of models in SQL.

use async_trait::async_trait;
use candlecast_core::{SeriesKey, Timestamp};

use super::select::Select;
use crate::db::{Record, Statement};
use crate::error::Rule;
use crate::models::{Model, ModelFilter, ModelStatus, ModelStore};
use crate::{MetaError, Page, PageRequest, SqlStore, check};

const COLUMNS: &str = "id, name, venue, symbol, \"interval\", model_type, task, version, status, horizon_steps, \
    trained_at, accuracy, sha256, run_id, meta, activated_at";

#[async_trait]
impl ModelStore for SqlStore {
    async fn put_model(&self, model: &Model, now: Timestamp) -> Result<(), MetaError> {
        match self.db.change(upsert(model, now)?).await {
            Err(error) if error.is_rule(Rule::Unique) => {
                let problem = "is not the only active model of its series and horizon: promote it instead";
                Err(MetaError::conflict("model", &model.id, problem))
            }
            answer => answer.map(drop),
        }
    }

    async fn model(&self, model_id: &str) -> Result<Model, MetaError> {
        let statement = Statement::new(format!("SELECT {COLUMNS} FROM ml_models WHERE id = $1"));
        let row = self.db.row(statement.bind(model_id)).await?;
        read(&row.ok_or_else(|| MetaError::not_found("model", model_id))?)
    }

    async fn active_model(
        &self,
        series: &SeriesKey,
        model_type: &str,
        task: &str,
        horizon_steps: u32,
    ) -> Result<Option<Model>, MetaError> {
        let statement = Statement::new(format!(
            "SELECT {COLUMNS} FROM ml_models WHERE venue = $1 AND symbol = $2 AND \"interval\" = $3 \
             AND model_type = $4 AND task = $5 AND horizon_steps = $6 AND status = 'active'"
        ))
        .bind(series.venue.as_str())
        .bind(series.symbol.as_str())
        .bind(series.interval.to_string())
        .bind(model_type)
        .bind(task)
        .bind(horizon_steps);
        self.db.row(statement).await?.as_ref().map(read).transpose()
    }

    async fn models(&self, filter: &ModelFilter, page: PageRequest) -> Result<Page<Model>, MetaError> {
        let mut select = Select::new(COLUMNS, "ml_models", "trained_at");
        if let Some(series) = &filter.series {
            select.series(series);
        }
        select.any_of("model_type", filter.model_type.as_deref());
        select.any_of("task", filter.task.as_deref());
        select.any_of("status", filter.status);
        select.page(&self.db, page, read).await
    }

    async fn promote_model(&self, model_id: &str, now: Timestamp) -> Result<(), MetaError> {
        let changed = match self.db.change_all(promote(model_id, now)).await {
            // Two promotions at once, on PostgreSQL: one wins, the other may try again.
            Err(error) if error.is_rule(Rule::Unique) => {
                return Err(MetaError::Busy { place: self.place().into(), detail: error.to_string() });
            }
            answer => answer?,
        };
        if changed.last() == Some(&1) {
            return Ok(());
        }
        let status = self.model(model_id).await?.status;
        Err(MetaError::conflict("model", model_id, format!("is {status} and cannot serve: train it first")))
    }

    async fn set_model_status(&self, model_id: &str, status: ModelStatus, now: Timestamp) -> Result<(), MetaError> {
        if status == ModelStatus::Active {
            return Err(MetaError::invalid("status", "active", "promote the model instead"));
        }
        let statement = Statement::new("UPDATE ml_models SET status = $2, updated_at = $3 WHERE id = $1");
        match self.db.change(statement.bind(model_id).bind(status).bind(now)).await? {
            0 => Err(MetaError::not_found("model", model_id)),
            _ => Ok(()),
        }
    }

    async fn delete_model(&self, model_id: &str) -> Result<bool, MetaError> {
        let statement = Statement::new("DELETE FROM ml_models WHERE id = $1 AND status <> 'active'").bind(model_id);
        if self.db.change(statement).await? == 1 {
            return Ok(true);
        }
        match self.model(model_id).await {
            Err(MetaError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
            Ok(_) => Err(MetaError::conflict("model", model_id, "serves: promote another one first")),
        }
    }
}

fn upsert(model: &Model, now: Timestamp) -> Result<Statement, MetaError> {
    let sql = format!(
        "INSERT INTO ml_models ({COLUMNS}, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
         $13, $14, $15, $16, $17) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
         horizon_steps = excluded.horizon_steps, trained_at = excluded.trained_at, accuracy = excluded.accuracy, \
         sha256 = excluded.sha256, run_id = excluded.run_id, meta = excluded.meta, updated_at = excluded.updated_at, \
         status = CASE WHEN ml_models.status = 'created' AND excluded.status <> 'active' THEN excluded.status \
         ELSE ml_models.status END"
    );
    let activated_at = (model.status == ModelStatus::Active).then_some(now);
    Ok(Statement::new(sql)
        .bind(check::id("id", &model.id)?)
        .bind(check::free_text(&model.name))
        .bind(model.series.venue.as_str())
        .bind(model.series.symbol.as_str())
        .bind(model.series.interval.to_string())
        .bind(check::id("model_type", &model.model_type)?)
        .bind(check::id("task", &model.task)?)
        .bind(check::id("version", &model.version)?)
        .bind(model.status)
        .bind(model.horizon_steps)
        .bind(model.trained_at)
        .bind(check::finite_if_any("accuracy", model.accuracy)?)
        .bind(model.sha256.as_deref())
        .bind(model.run_id.as_deref())
        .bind(check::json("meta", &model.meta)?)
        .bind(activated_at)
        .bind(now))
}

/// The model that serves steps back, then the new one steps forward; the first only if the second will.
fn promote(model_id: &str, now: Timestamp) -> Vec<Statement> {
    let trained = "status IN ('candidate', 'active', 'archived')";
    let archive = format!(
        "UPDATE ml_models SET status = 'archived', updated_at = $2 WHERE status = 'active' AND id <> $1 \
         AND EXISTS (SELECT 1 FROM ml_models AS chosen WHERE chosen.id = $1 AND chosen.{trained} \
         AND chosen.venue = ml_models.venue AND chosen.symbol = ml_models.symbol \
         AND chosen.\"interval\" = ml_models.\"interval\" AND chosen.model_type = ml_models.model_type \
         AND chosen.task = ml_models.task AND chosen.horizon_steps = ml_models.horizon_steps)"
    );
    let activate = format!(
        "UPDATE ml_models SET activated_at = CASE WHEN status = 'active' THEN activated_at ELSE $2 END, \
         status = 'active', updated_at = $2 WHERE id = $1 AND {trained}"
    );
    [archive, activate].into_iter().map(|sql| Statement::new(sql).bind(model_id).bind(now)).collect()
}

fn read(row: &Record) -> Result<Model, MetaError> {
    Ok(Model {
        id: row.text("id")?,
        name: row.text("name")?,
        series: row.series()?,
        model_type: row.text("model_type")?,
        task: row.text("task")?,
        version: row.text("version")?,
        status: row.parsed("status")?,
        horizon_steps: row.narrow("horizon_steps")?,
        trained_at: row.time("trained_at")?,
        accuracy: row.real_if_any("accuracy")?,
        sha256: row.text_if_any("sha256")?,
        run_id: row.text_if_any("run_id")?,
        meta: row.json("meta")?,
        activated_at: row.time_if_any("activated_at")?,
    })
}
