-- How often an order was sent back unbought for one and the same reason, and since when: who is
-- sent back for ever is asked about ever less often, and given up in the end.

ALTER TABLE purchases
    ADD COLUMN sent_back       INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN sent_back_since TIMESTAMPTZ;
