-- What is left of predictions that were settled long ago: those of one task that a model made on a series with a target in
-- one UTC day, summed up. A day may have several records, which add up. `sums` is JSON, over the validated ones.
CREATE TABLE ml_prediction_days (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    model_id TEXT NOT NULL,
    venue TEXT NOT NULL,
    symbol TEXT NOT NULL,
    "interval" TEXT NOT NULL,
    task TEXT NOT NULL,
    day BIGINT NOT NULL,
    validated BIGINT NOT NULL CHECK (validated >= 0),
    unscorable BIGINT NOT NULL CHECK (unscorable >= 0),
    first_origin BIGINT NOT NULL,
    first_target BIGINT NOT NULL,
    last_target BIGINT NOT NULL,
    corrected BIGINT NOT NULL CHECK (corrected IN (0, 1)),
    sums TEXT NOT NULL,
    rolled_at BIGINT NOT NULL
);
CREATE INDEX ml_prediction_days_time ON ml_prediction_days (day, seq);
CREATE INDEX ml_prediction_days_model ON ml_prediction_days (model_id, day, seq);
CREATE INDEX ml_prediction_days_series ON ml_prediction_days (venue, symbol, "interval", day, seq);

-- By when predictions were logged, whatever clock they were made by: those with a number up to `last_seq` were there at
-- `marked_at`. The first mark has the time 0: of what was there before nothing is known.
CREATE TABLE ml_prediction_marks (
    marked_at BIGINT NOT NULL PRIMARY KEY,
    last_seq BIGINT NOT NULL
);

-- Whether anything refers to a run.
CREATE INDEX ml_models_run ON ml_models (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX ml_ledger_run ON ml_ledger (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX hpo_studies_run ON hpo_studies (run_id) WHERE run_id IS NOT NULL;
