-- Publication on a CDN: what is kept and still to be published, and jobs that wait for it.
--
-- A purchase that is through for its job and has outputs that await the CDN is `publishing`:
-- it can be claimed like an open one, and counts for nothing else.

ALTER TABLE purchases ADD COLUMN publishing BOOLEAN NOT NULL DEFAULT false;
CREATE INDEX purchases_publishing ON purchases (owner, not_before) WHERE publishing;

ALTER TABLE purchase_outputs
    ADD COLUMN version_number INTEGER,
    ADD COLUMN to_publish BOOLEAN NOT NULL DEFAULT false;

ALTER TABLE image_jobs
    ADD COLUMN publishing INTEGER NOT NULL DEFAULT 0 CHECK (publishing >= 0),
    ADD COLUMN complete_by TIMESTAMPTZ;
CREATE INDEX image_jobs_waiting ON image_jobs (complete_by)
    WHERE ended_at IS NULL AND complete_by IS NOT NULL;

-- A vendor's own URL is never stored as a result. What is there already begins with /i/.
ALTER TABLE image_variants ADD CONSTRAINT image_variants_no_vendors_url CHECK (
    (cdn_url || ' ' || thumbnail_url) !~*
    '://[^/ ]*(replicate\.(delivery|com)|openai\.com|oaidalle|blob\.core|bfl\.ai|ideogram\.ai|recraft\.ai)'
) NOT VALID;

ALTER TABLE users SET (fillfactor = 50); -- a counter of the feed moves in it
