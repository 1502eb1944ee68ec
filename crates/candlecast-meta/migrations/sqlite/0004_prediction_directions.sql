-- The direction that a price was forecast to go. It may stand where the forecast price stays that of the origin; rows
-- that are there already have none, so theirs is that of the price.
ALTER TABLE ml_predictions ADD COLUMN direction TEXT CHECK (direction IN ('UP', 'DOWN', 'NONE'));
