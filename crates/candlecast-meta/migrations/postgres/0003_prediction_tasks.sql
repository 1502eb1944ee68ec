-- The log holds forecasts of every task; those that are there are of prices.
ALTER TABLE ml_predictions ADD COLUMN task TEXT NOT NULL DEFAULT 'price';
-- Prices that separate the classes of a direction.
ALTER TABLE ml_predictions ADD COLUMN sell_at DOUBLE PRECISION;
ALTER TABLE ml_predictions ADD COLUMN buy_at DOUBLE PRECISION;
-- Other tasks have a row a forecast, prices one a step, so these cost little and spare a walk over all prices.
CREATE INDEX ml_predictions_task ON ml_predictions (task, target_time, seq) WHERE task <> 'price';
CREATE INDEX ml_predictions_volatility ON ml_predictions (venue, symbol, "interval", target_time, seq)
    WHERE task = 'volatility';
