-- The form of a job's payload: a worker is given only forms that it can read. All that are there have form 1.
ALTER TABLE ml_training_jobs ADD COLUMN payload_version BIGINT NOT NULL DEFAULT 1;
-- Work that one process at a time does: who has the turn, and until when; of what is done once a day, when it was done
-- last. By the clock of the database.
CREATE TABLE ml_turns (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    held_until BIGINT NOT NULL,
    done_at BIGINT NOT NULL DEFAULT 0
);
