-- One model serves for each horizon of a series, type and task.
DROP INDEX ml_models_one_active;
CREATE UNIQUE INDEX ml_models_one_active ON ml_models (venue, symbol, "interval", model_type, task, horizon_steps)
    WHERE status = 'active';
