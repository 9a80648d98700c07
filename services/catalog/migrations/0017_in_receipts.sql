-- Whether a lost answer is looked up in our own receipts alone, since its provider cannot be asked.
-- False for what a generator of an earlier release does not tell.

ALTER TABLE permits
    ADD COLUMN lookup_in_receipts BOOLEAN NOT NULL DEFAULT false;
