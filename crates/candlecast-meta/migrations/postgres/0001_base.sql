-- Times are milliseconds since 1970 UTC; JSON is kept as text; truth values are 0 or 1. Lists are read newest
-- first by (time, seq), so every list has an index that ends in these two.

CREATE TABLE ml_runs (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    experiment TEXT,
    state TEXT NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'cancelled', 'interrupted')),
    venue TEXT,
    symbol TEXT,
    "interval" TEXT,
    model_type TEXT,
    task TEXT,
    horizon_steps BIGINT,
    config TEXT NOT NULL,
    config_hash TEXT NOT NULL,
    data_from BIGINT,
    data_to BIGINT,
    data_fingerprint TEXT,
    seed TEXT NOT NULL,
    program_version TEXT NOT NULL,
    instruction_set TEXT NOT NULL,
    job_id TEXT,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    result TEXT,
    error TEXT
);
CREATE INDEX ml_runs_time ON ml_runs (started_at, seq);
CREATE INDEX ml_runs_kind ON ml_runs (kind, started_at, seq);
CREATE INDEX ml_runs_series ON ml_runs (venue, symbol, "interval", started_at, seq);

CREATE TABLE ml_models (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    venue TEXT NOT NULL,
    symbol TEXT NOT NULL,
    "interval" TEXT NOT NULL,
    model_type TEXT NOT NULL,
    task TEXT NOT NULL,
    version TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('created', 'candidate', 'active', 'archived', 'corrupt')),
    horizon_steps BIGINT NOT NULL,
    trained_at BIGINT NOT NULL,
    accuracy DOUBLE PRECISION,
    sha256 TEXT,
    run_id TEXT,
    meta TEXT NOT NULL,
    activated_at BIGINT,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX ml_models_one_active ON ml_models (venue, symbol, "interval", model_type, task)
    WHERE status = 'active';
CREATE INDEX ml_models_time ON ml_models (trained_at, seq);
CREATE INDEX ml_models_series ON ml_models (venue, symbol, "interval", trained_at, seq);
CREATE INDEX ml_models_type ON ml_models (model_type, trained_at, seq);
CREATE INDEX ml_models_status ON ml_models (status, trained_at, seq);

CREATE TABLE ml_training_jobs (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    priority BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'interrupted')),
    payload TEXT NOT NULL,
    dedupe_key TEXT,
    resumable BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL CHECK (max_attempts > 0),
    attempts_left BIGINT NOT NULL CHECK (attempts_left >= 0),
    max_run_ms BIGINT,
    threads BIGINT,
    attempt BIGINT NOT NULL,
    cancel_asked BIGINT NOT NULL,
    owner TEXT,
    lease_until BIGINT,
    created_at BIGINT NOT NULL,
    run_after BIGINT NOT NULL,
    started_at BIGINT,
    updated_at BIGINT NOT NULL,
    finished_at BIGINT,
    stage TEXT,
    stage_no BIGINT,
    stages BIGINT,
    fold BIGINT,
    folds BIGINT,
    done_share DOUBLE PRECISION,
    eta_ms BIGINT,
    result TEXT,
    error TEXT,
    CHECK ((state = 'running') = (lease_until IS NOT NULL))
);
CREATE UNIQUE INDEX ml_training_jobs_dedupe ON ml_training_jobs (dedupe_key)
    WHERE dedupe_key IS NOT NULL AND state IN ('queued', 'running');
CREATE INDEX ml_training_jobs_queue ON ml_training_jobs (priority DESC, seq) WHERE state = 'queued';
CREATE INDEX ml_training_jobs_leases ON ml_training_jobs (lease_until) WHERE state = 'running';
CREATE INDEX ml_training_jobs_time ON ml_training_jobs (created_at, seq);
CREATE INDEX ml_training_jobs_state ON ml_training_jobs (state, created_at, seq);
CREATE INDEX ml_training_jobs_kind ON ml_training_jobs (kind, created_at, seq);

CREATE TABLE ml_job_logs (
    job_id TEXT NOT NULL REFERENCES ml_training_jobs (id) ON DELETE CASCADE,
    attempt BIGINT NOT NULL,
    line BIGINT NOT NULL,
    logged_at BIGINT NOT NULL,
    level TEXT NOT NULL CHECK (level IN ('error', 'warn', 'info', 'debug')),
    message TEXT NOT NULL,
    PRIMARY KEY (job_id, attempt, line)
);

CREATE TABLE ml_job_checkpoints (
    job_id TEXT PRIMARY KEY REFERENCES ml_training_jobs (id) ON DELETE CASCADE,
    attempt BIGINT NOT NULL,
    saved_at BIGINT NOT NULL,
    body BYTEA NOT NULL
);

CREATE TABLE ml_predictions (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_id TEXT NOT NULL,
    venue TEXT NOT NULL,
    symbol TEXT NOT NULL,
    "interval" TEXT NOT NULL,
    origin BIGINT NOT NULL,
    step BIGINT NOT NULL CHECK (step > 0),
    target_time BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    base_price DOUBLE PRECISION NOT NULL,
    prediction DOUBLE PRECISION NOT NULL,
    lower_price DOUBLE PRECISION,
    upper_price DOUBLE PRECISION,
    interval_level DOUBLE PRECISION,
    confidence DOUBLE PRECISION,
    status TEXT NOT NULL CHECK (status IN ('pending', 'validated', 'unscorable')),
    actual DOUBLE PRECISION,
    error DOUBLE PRECISION,
    validated_at BIGINT,
    CHECK ((status = 'validated') = (actual IS NOT NULL)),
    UNIQUE (model_id, venue, symbol, "interval", origin, step)
);
CREATE INDEX ml_predictions_time ON ml_predictions (target_time, seq);
CREATE INDEX ml_predictions_model ON ml_predictions (model_id, target_time, seq);
CREATE INDEX ml_predictions_series ON ml_predictions (venue, symbol, "interval", target_time, seq);
-- Few rows are pending or unscorable, so these cost little and spare a walk over all validated ones.
CREATE INDEX ml_predictions_pending ON ml_predictions (target_time, seq) WHERE status = 'pending';
CREATE INDEX ml_predictions_model_pending ON ml_predictions (model_id, target_time, seq)
    WHERE status = 'pending';
CREATE INDEX ml_predictions_series_pending ON ml_predictions (venue, symbol, "interval", target_time, seq)
    WHERE status = 'pending';
CREATE INDEX ml_predictions_unscorable ON ml_predictions (target_time, seq) WHERE status = 'unscorable';
CREATE INDEX ml_predictions_model_unscorable ON ml_predictions (model_id, target_time, seq)
    WHERE status = 'unscorable';
CREATE INDEX ml_predictions_series_unscorable ON ml_predictions (venue, symbol, "interval", target_time, seq)
    WHERE status = 'unscorable';

CREATE TABLE hpo_studies (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    run_id TEXT,
    state TEXT NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'cancelled', 'interrupted')),
    venue TEXT NOT NULL,
    symbol TEXT NOT NULL,
    "interval" TEXT NOT NULL,
    model_type TEXT NOT NULL,
    objective TEXT NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('minimize', 'maximize')),
    space TEXT NOT NULL,
    sampler TEXT NOT NULL,
    pruner TEXT,
    seed TEXT NOT NULL,
    max_trials BIGINT NOT NULL CHECK (max_trials > 0),
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX hpo_studies_time ON hpo_studies (created_at, seq);

CREATE TABLE hpo_trials (
    study_id TEXT NOT NULL REFERENCES hpo_studies (id) ON DELETE CASCADE,
    number BIGINT NOT NULL CHECK (number >= 0),
    state TEXT NOT NULL CHECK (state IN ('running', 'complete', 'pruned', 'failed')),
    owner TEXT NOT NULL,
    params TEXT NOT NULL,
    value DOUBLE PRECISION,
    metrics TEXT,
    error TEXT,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    CHECK (state <> 'complete' OR value IS NOT NULL),
    PRIMARY KEY (study_id, number)
);

CREATE TABLE ml_folds (
    scope TEXT NOT NULL,
    trial BIGINT NOT NULL,
    fold BIGINT NOT NULL,
    value DOUBLE PRECISION,
    metrics TEXT NOT NULL,
    duration_ms BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    PRIMARY KEY (scope, trial, fold)
);

CREATE TABLE ml_ledger (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    venue TEXT NOT NULL,
    symbol TEXT NOT NULL,
    "interval" TEXT NOT NULL,
    task TEXT NOT NULL,
    model_type TEXT NOT NULL,
    config TEXT NOT NULL,
    config_hash TEXT NOT NULL,
    period_from BIGINT NOT NULL,
    period_to BIGINT NOT NULL,
    score DOUBLE PRECISION,
    sharpe DOUBLE PRECISION,
    run_id TEXT,
    tried_at BIGINT NOT NULL,
    CHECK (period_from < period_to)
);
CREATE INDEX ml_ledger_series ON ml_ledger (venue, symbol, "interval", tried_at, seq);
CREATE INDEX ml_ledger_time ON ml_ledger (tried_at, seq);

-- What has been tried stays on record: no program, however written, takes a line back.
CREATE FUNCTION ml_ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only';
END;
$$;

CREATE TRIGGER ml_ledger_no_change BEFORE UPDATE OR DELETE ON ml_ledger
    FOR EACH ROW EXECUTE FUNCTION ml_ledger_refuse();

CREATE TRIGGER ml_ledger_no_truncate BEFORE TRUNCATE ON ml_ledger
    FOR EACH STATEMENT EXECUTE FUNCTION ml_ledger_refuse();
