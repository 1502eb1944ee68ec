//! The index of models in SQL.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use candlecast_core::Timestamp;

use super::select::Select;
use crate::db::{Record, Statement};
use crate::error::Rule;
use crate::models::{FoundModel, Model, ModelFilter, ModelStatus, ModelStore, ModelsIn, SyncedModels};
use crate::{MetaError, Page, PageRequest, SqlStore, check};

const COLUMNS: &str = "id, folder, name, venue, symbol, \"interval\", model_type, task, version, status, \
    horizon_steps, trained_at, accuracy, sha256, run_id, meta, activated_at";

#[async_trait]
impl ModelStore for SqlStore {
    async fn sync_models(
        &self,
        models: &ModelsIn,
        found: &[FoundModel],
        now: Timestamp,
    ) -> Result<SyncedModels, MetaError> {
        let mut synced = SyncedModels::default();
        let plan = |records: Vec<Record>| {
            let rows = records.iter().map(read).collect::<Result<Vec<Model>, MetaError>>()?;
            let (statements, told) = SyncPlan::new(models, &rows, found, now).statements()?;
            synced = told;
            Ok::<_, MetaError>(statements)
        };
        match self.db.change_then(locked_rows(models)?, plan).await {
            // Two at once, on PostgreSQL, of which neither saw a row of the other: one wins, the other may try again.
            Err(error) if error.is_rule(Rule::Unique) => {
                Err(MetaError::Busy { place: self.place().into(), detail: error.to_string() })
            }
            answer => answer.map(|_| synced),
        }
    }

    async fn claim_model(&self, model_id: &str, folder: &str, now: Timestamp) -> Result<bool, MetaError> {
        // A model from before there were claims is claimed by its row. What changes nothing returns the row all the same.
        let claim = Statement::new(
            "INSERT INTO ml_model_claims (model_id, folder, claimed_at) SELECT $1, $2, $3 \
             WHERE NOT EXISTS (SELECT 1 FROM ml_models WHERE id = $1 AND folder <> $2 AND folder <> '') \
             ON CONFLICT (model_id) DO UPDATE SET claimed_at = ml_model_claims.claimed_at RETURNING folder",
        );
        let claim = claim.bind(check::id("model_id", model_id)?).bind(check::id("folder", folder)?).bind(now);
        match self.db.changed_row(claim).await? {
            Some(row) => Ok(row.text("folder")? == folder),
            None => Ok(false),
        }
    }

    async fn forget_folder(&self, folder: &str) -> Result<u64, MetaError> {
        let statement = Statement::new("DELETE FROM ml_models WHERE folder = $1");
        self.db.change(statement.bind(check::id("folder", folder)?)).await
    }

    async fn model(&self, model_id: &str) -> Result<Model, MetaError> {
        let statement = Statement::new(format!("SELECT {COLUMNS} FROM ml_models WHERE id = $1"));
        let row = self.db.row(statement.bind(model_id)).await?;
        read(&row.ok_or_else(|| MetaError::not_found("model", model_id))?)
    }

    async fn models(&self, filter: &ModelFilter, page: PageRequest) -> Result<Page<Model>, MetaError> {
        let mut select = Select::new(COLUMNS, "ml_models", "trained_at");
        select.any_of("folder", filter.folder.as_deref());
        if let Some(folder) = &filter.not_folder {
            select.compare("folder <>", folder.as_str());
        }
        if let Some(series) = &filter.series {
            select.series(series);
        }
        select.any_of("model_type", filter.model_type.as_deref());
        select.any_of("task", filter.task.as_deref());
        select.any_of("status", filter.status);
        select.page(&self.db, page, read).await
    }
}

/// All rows of a series, type and task, in whatever folder, which nobody else changes until the transaction ends.
fn locked_rows(models: &ModelsIn) -> Result<Statement, MetaError> {
    let sql = format!(
        "UPDATE ml_models SET updated_at = updated_at WHERE venue = $1 AND symbol = $2 AND \"interval\" = $3 \
         AND model_type = $4 AND task = $5 RETURNING {COLUMNS}"
    );
    Ok(Statement::new(sql)
        .bind(models.series.venue.as_str())
        .bind(models.series.symbol.as_str())
        .bind(models.series.interval.to_string())
        .bind(check::id("model_type", &models.model_type)?)
        .bind(check::id("task", &models.task)?))
}

/// What brings the rows of one series, type and task in line with one folder.
struct SyncPlan<'a> {
    folder: &'a str,
    now: Timestamp,
    rows: BTreeMap<&'a str, &'a Model>,
    found: &'a [FoundModel],
}

impl<'a> SyncPlan<'a> {
    fn new(models: &'a ModelsIn, rows: &'a [Model], found: &'a [FoundModel], now: Timestamp) -> Self {
        let rows = rows.iter().map(|row| (row.id.as_str(), row)).collect();
        Self { folder: &models.folder, now, rows, found }
    }

    /// The statements, in the order in which they may run: a model steps back before another one steps forward.
    fn statements(&self) -> Result<(Vec<Statement>, SyncedModels), MetaError> {
        let mut synced = SyncedModels::default();
        let mut statements = Vec::new();
        let mut changes: BTreeMap<&str, Model> = BTreeMap::new();
        for found in self.found {
            let row = self.rows.get(found.id()).copied();
            if row.is_some_and(|row| !self.is_own(row, found)) {
                synced.taken.push(found.id().to_owned());
                continue;
            }
            let Some(becomes) = self.becomes(row, found) else { continue };
            match row {
                Some(row) if *row == becomes => continue,
                Some(_) => synced.changed += 1,
                None => synced.added += 1,
            }
            if row.is_some_and(|row| row.status == ModelStatus::Active) && becomes.status != ModelStatus::Active {
                statements.push(step_back(found.id()));
            }
            changes.insert(found.id(), becomes);
        }
        let kept: BTreeSet<&str> = self.found.iter().map(FoundModel::id).collect();
        let gone = self.rows.values().filter(|row| self.is_gone(row, &kept));
        for row in gone {
            synced.removed += 1;
            statements.push(Statement::new("DELETE FROM ml_models WHERE id = $1").bind(row.id.as_str()));
        }
        // In the order of their ids, so that of two who add the same rows neither waits for the other one's last.
        for model in changes.values() {
            statements.push(upsert(model, self.now)?);
        }
        Ok((statements, synced))
    }

    /// True for a row that is this folder's to change. One from before there were folders is whoever's has the files.
    fn is_own(&self, row: &Model, found: &FoundModel) -> bool {
        let is_same = match found {
            FoundModel::Whole(model) => model.sha256.is_some() && model.sha256 == row.sha256,
            FoundModel::Damaged(_) => false,
        };
        self.folder.is_empty() || row.folder.is_empty() || row.folder == self.folder || is_same
    }

    /// True for a row whose files were here and are no more.
    fn is_gone(&self, row: &Model, kept: &BTreeSet<&str>) -> bool {
        let was_here = self.folder.is_empty() || row.folder == self.folder;
        was_here && row.status != ModelStatus::Created && !kept.contains(row.id.as_str())
    }

    /// The row of `found`; `None` where nothing is known of it.
    fn becomes(&self, row: Option<&Model>, found: &FoundModel) -> Option<Model> {
        let folder = self.folder.to_owned();
        match found {
            FoundModel::Damaged(_) => Some(Model { folder, status: ModelStatus::Corrupt, ..row?.clone() }),
            FoundModel::Whole(model) => {
                let has_served = row.is_some_and(|row| row.status == ModelStatus::Active);
                let begins = model.status == ModelStatus::Active && !has_served;
                let activated_at = if begins { Some(self.now) } else { row.and_then(|row| row.activated_at) };
                let run_id = model.run_id.clone().or_else(|| row.and_then(|row| row.run_id.clone()));
                Some(Model { folder, run_id, activated_at, ..model.as_ref().clone() })
            }
        }
    }
}

/// Makes room for another one that serves.
fn step_back(id: &str) -> Statement {
    Statement::new("UPDATE ml_models SET status = 'archived' WHERE id = $1").bind(id)
}

/// The row becomes `model`, unless it came to be another folder's meanwhile.
fn upsert(model: &Model, now: Timestamp) -> Result<Statement, MetaError> {
    let sql = format!(
        "INSERT INTO ml_models ({COLUMNS}, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
         $13, $14, $15, $16, $17, $18) ON CONFLICT (id) DO UPDATE SET folder = excluded.folder, name = excluded.name, \
         status = excluded.status, horizon_steps = excluded.horizon_steps, trained_at = excluded.trained_at, \
         accuracy = excluded.accuracy, sha256 = excluded.sha256, run_id = excluded.run_id, meta = excluded.meta, \
         activated_at = excluded.activated_at, updated_at = excluded.updated_at \
         WHERE ml_models.folder IN ('', excluded.folder) OR excluded.folder = '' OR ml_models.sha256 = excluded.sha256"
    );
    Ok(Statement::new(sql)
        .bind(check::id("id", &model.id)?)
        .bind(model.folder.as_str())
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
        .bind(model.activated_at)
        .bind(now))
}

fn read(row: &Record) -> Result<Model, MetaError> {
    Ok(Model {
        id: row.text("id")?,
        folder: row.text("folder")?,
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
