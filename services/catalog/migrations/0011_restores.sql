-- What a database that came back from a copy has to remember of it.
--
-- Whatever was open when the copy was made may have gone on since, as purchases that this database
-- has never heard of. So it is marked: it is looked up and followed, and nothing is bought in its
-- place. A row of restores without finished_at is a database that must not be worked with yet.

CREATE TABLE restores (
    restore_id  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what        TEXT NOT NULL CHECK (what IN ('restore', 'rebuild')),
    began_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    finished_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX restores_unfinished ON restores ((true)) WHERE finished_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON restores TO studio_ledger;

ALTER TABLE purchases ADD COLUMN restored BOOLEAN NOT NULL DEFAULT false;

-- A variant that had a number before gets it again; else the sequence is asked by name.
GRANT USAGE ON SEQUENCE image_variants_variant_id_seq TO studio_ledger;
