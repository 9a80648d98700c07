-- How a provider does, as the outcomes of its orders told, beside its permits: a breaker that all
-- replicas share, and how many orders it still takes by its own word.

ALTER TABLE permits
    ADD COLUMN watched      BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN sending      INTEGER NOT NULL DEFAULT 0 CHECK (sending >= 0),
    ADD COLUMN orders_left  INTEGER,
    ADD COLUMN renewed_at   TIMESTAMPTZ,
    ADD COLUMN breaker      TEXT NOT NULL DEFAULT 'closed'
                            CHECK (breaker IN ('closed', 'half_open', 'open')),
    ADD COLUMN recent       TEXT NOT NULL DEFAULT '',
    ADD COLUMN heard_at     TIMESTAMPTZ,
    ADD COLUMN retry_at     TIMESTAMPTZ,
    ADD COLUMN probe        UUID,
    ADD COLUMN openings     INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN refusal      JSONB;
