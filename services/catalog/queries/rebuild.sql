-- What a restore marks, and what a rebuild writes of what the vault's notes say.

-- name: mark_restored
UPDATE purchases SET restored = true
WHERE state IN ('planned', 'sending', 'running', 'drawn', 'unclear') OR publishing
RETURNING purchase_id, state;

-- name: users_by_id
SELECT user_id, subject FROM users WHERE user_id = ANY ($1::bigint[]) OR subject = ANY ($2::text[]);

-- name: restore_user
INSERT INTO users (user_id, subject) VALUES ($1, $2);

-- name: restore_spending
INSERT INTO spending (user_id, period) VALUES ($1, $2) ON CONFLICT (user_id, period) DO NOTHING;

-- name: job_for_rebuild
SELECT j.user_id, j.request_id, j.state,
       ARRAY(SELECT v.purchase_id::text || '#' || v.output_index FROM image_variants v
             WHERE v.job_id = j.job_id) AS variants
FROM image_jobs j
WHERE j.job_id = $1;

-- name: purchases_for_rebuild
SELECT purchase_id, state, ordinal, attempt FROM purchases WHERE job_id = $1;

-- name: purchases_there
SELECT purchase_id FROM purchases WHERE purchase_id = ANY ($1::uuid[]);

-- name: restore_job
INSERT INTO image_jobs (job_id, user_id, title, project, use_case, preset_used, state,
                        original_prompt, enhanced_prompt, enhanced_by, spec, request_id,
                        fingerprint, last_sequence, open_purchases, created_at)
OVERRIDING SYSTEM VALUE
VALUES ($1, $2, $3, $4, $5, $6, 'running', $7, $8, $9, $10, $11, $12, 2, 0, $13);

-- name: restore_event
INSERT INTO job_events (job_id, sequence, kind, payload, created_at) VALUES ($1, $2, $3, $4, $5);

-- Planned, for the replay that follows; nobody else works with the database.
-- name: restore_purchases
WITH asked AS (
    SELECT * FROM unnest($3::uuid[], $4::text[], $5::text[], $6::integer[], $7::integer[],
                         $8::text[], $9::date[], $10::timestamptz[])
         AS asked (purchase_id, provider, model_key, ordinal, attempt, fingerprint, period, sent_at)
), bought AS (
    INSERT INTO purchases (purchase_id, job_id, user_id, provider, model_key, ordinal, attempt,
                           state, fingerprint, period, reserved, sent_at, created_at, restored)
    SELECT purchase_id, $1, $2, provider, model_key, ordinal, attempt, 'planned', fingerprint,
           period, 0, sent_at, sent_at, true
    FROM asked
)
UPDATE image_jobs SET open_purchases = open_purchases + (SELECT count(*) FROM asked)
WHERE job_id = $1;

-- Of an order that left no picture nothing is known but that it was asked for.
-- name: restore_missing
INSERT INTO purchases (purchase_id, job_id, user_id, provider, model_key, ordinal, attempt, state,
                       ending, charged, fingerprint, period, reserved, error, created_at)
SELECT asked.purchase_id, $1, $2, '', asked.model_key, asked.ordinal, 1, 'ended',
       'failed', 'unknown', '', $3, 0, $4::jsonb, $5
FROM unnest($6::uuid[], $7::text[], $8::integer[]) AS asked (purchase_id, model_key, ordinal);

-- name: date_variants
WITH asked AS (
    SELECT * FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[], $4::text[], $5::text[],
                         $6::timestamptz[])
         AS asked (purchase_id, output_index, at, cdn_url, thumbnail_url, published_at)
), published AS (
    UPDATE purchase_outputs o SET state = 'published'
    FROM asked
    WHERE asked.published_at IS NOT NULL AND o.state = 'kept'
      AND o.purchase_id = asked.purchase_id AND o.index = asked.output_index
)
UPDATE image_variants v
SET created_at = asked.at,
    cdn_url = coalesce(asked.cdn_url, v.cdn_url),
    thumbnail_url = coalesce(asked.thumbnail_url, v.thumbnail_url),
    published_at = coalesce(asked.published_at, v.published_at)
FROM asked
WHERE v.purchase_id = asked.purchase_id AND v.output_index = asked.output_index;

-- name: date_purchases
UPDATE purchases p SET state = 'published'
WHERE p.job_id = $1 AND p.state = 'kept'
  AND NOT EXISTS (SELECT FROM purchase_outputs o
                  WHERE o.purchase_id = p.purchase_id AND o.state <> 'published');

-- name: date_file
UPDATE image_files SET created_at = $3 WHERE user_id = $1 AND image_hash = $2;

-- name: date_job
WITH logged AS (
    UPDATE job_events SET created_at = $2 WHERE job_id = $1 AND created_at > $2
)
UPDATE image_jobs SET updated_at = $2, ended_at = CASE WHEN ended_at IS NOT NULL THEN $2 END
WHERE job_id = $1;

-- name: begin_restore
INSERT INTO restores (what)
SELECT 'restore' WHERE NOT EXISTS (SELECT FROM restores WHERE finished_at IS NULL);

-- name: begin_rebuild
INSERT INTO restores (what)
SELECT 'rebuild' WHERE NOT EXISTS (SELECT FROM restores WHERE finished_at IS NULL);

-- name: finish_restores
UPDATE restores SET finished_at = now() WHERE finished_at IS NULL;
