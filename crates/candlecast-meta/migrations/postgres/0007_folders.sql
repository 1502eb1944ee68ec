-- Which folder of models holds a model's files, since hosts with folders of their own may share these records; empty where
-- the records are of one folder. A model may serve in each of them.
ALTER TABLE ml_models ADD COLUMN folder TEXT NOT NULL DEFAULT '';
DROP INDEX ml_models_one_active;
CREATE UNIQUE INDEX ml_models_one_active
    ON ml_models (folder, venue, symbol, "interval", model_type, task, horizon_steps) WHERE status = 'active';
-- Names that were given, so that no two folders give one to different models.
CREATE TABLE ml_model_claims (
    model_id TEXT NOT NULL PRIMARY KEY,
    folder TEXT NOT NULL,
    claimed_at BIGINT NOT NULL
);
-- A job that is about the models of one folder is done beside them.
ALTER TABLE ml_training_jobs ADD COLUMN folder TEXT;
