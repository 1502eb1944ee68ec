-- What a try was worth on each UTC day of its period, so that all that was tried can be set side by side: single-precision
-- numbers, little-endian, NaN on days without one, from `first_day` (days since 1970) on. Only values of the same
-- `measure` can be compared. At most 4,096 days.
CREATE TABLE ml_ledger_days (
    try_id TEXT NOT NULL PRIMARY KEY REFERENCES ml_ledger (id),
    measure TEXT NOT NULL,
    first_day BIGINT NOT NULL,
    n_days BIGINT NOT NULL CHECK (n_days BETWEEN 1 AND 4096),
    body BYTEA NOT NULL CHECK (length(body) = 4 * n_days)
);

CREATE TRIGGER ml_ledger_days_no_change BEFORE UPDATE OR DELETE ON ml_ledger_days
    FOR EACH ROW EXECUTE FUNCTION ml_ledger_refuse();

CREATE TRIGGER ml_ledger_days_no_truncate BEFORE TRUNCATE ON ml_ledger_days
    FOR EACH STATEMENT EXECUTE FUNCTION ml_ledger_refuse();
