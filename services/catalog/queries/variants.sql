-- role: studio_user
-- Variants as their user sees and arranges them.

-- fragment: columns
v.variant_id, v.job_id, v.user_id, v.version_number, v.model_key, v.model_version,
v.original_prompt, v.enhanced_prompt, v.enhanced_by, v.negative_prompt, v.parameters, v.cdn_url,
v.thumbnail_url, v.width, v.height, v.seed, v.generation_time_ms, v.cost,
v.replicate_prediction_id, v.image_hash, v.is_favorite, v.user_rating, v.created_at,
v.purchase_id, v.media_type, v.bytes, v.thumbhash, v.published_at, v.deleted_at,
/*metered*/,
/*path*/

-- fragment: filter
v.user_id = $1
  AND ($4::bigint[] IS NULL OR v.job_id = ANY ($4))
  AND ($5::boolean OR v.deleted_at IS NULL)
  AND (NOT $6::boolean OR v.is_favorite)
  AND ($7::integer IS NULL OR v.user_rating >= $7)
  AND ($8::text[] IS NULL OR v.model_key = ANY ($8))
  AND ($9::timestamptz IS NULL OR v.created_at >= $9)
  AND ($10::timestamptz IS NULL OR v.created_at < $10)
  AND ($11::float8 IS NULL OR abs(v.width / nullif(v.height, 0)::float8 / $11 - 1) <= 0.02)
  AND (num_nonnulls($12::text, $13::text, $14::text) = 0 OR EXISTS (
        SELECT FROM image_jobs j
        WHERE j.job_id = v.job_id AND j.user_id = $1
          AND ($12::text IS NULL OR j.project = $12)
          AND ($13::text IS NULL OR j.use_case = $13)
          AND ($14::text IS NULL OR j.preset_used = $14)))

-- name: list_variants
-- The page is found first, where it can be by an index alone, and then read.
SELECT /*columns*/
FROM image_variants v
WHERE v.user_id = $1 AND v.variant_id = ANY (ARRAY(
    SELECT v.variant_id
    FROM image_variants v
    WHERE v.variant_id < $2 AND /*filter*/
      AND ($15::bigint[] IS NULL OR v.variant_id = ANY ($15))
    ORDER BY v.variant_id DESC
    LIMIT $3))
ORDER BY v.variant_id DESC;

-- name: jobs_labelled
-- The newest jobs with labels. Where they are few, their variants are looked up by job; where
-- they are many, the newest variants are walked through, and soon fill a page.
SELECT job_id
FROM image_jobs
WHERE user_id = $1
  AND ($3::text IS NULL OR project = $3)
  AND ($4::text IS NULL OR use_case = $4)
  AND ($5::text IS NULL OR preset_used = $5)
ORDER BY job_id DESC
LIMIT $2;

-- name: find_variants
-- The user is the transaction's: see 0004_words.sql.
SELECT found_id, rank FROM variants_with_words($1, $2, $3, $4);

-- name: rank_variants
-- The best of what find_variants found, after a rank and an id.
SELECT found.rank, /*columns*/
FROM unnest($15::bigint[], $16::real[]) AS found (variant_id, rank)
JOIN image_variants v USING (variant_id)
WHERE (found.rank, v.variant_id) < ($17::real, $2::bigint) AND /*filter*/
ORDER BY found.rank DESC, v.variant_id DESC
LIMIT $3;

-- name: get_variant
SELECT /*columns*/
FROM image_variants v
WHERE v.user_id = $1 AND v.variant_id = $2 AND ($3::bigint IS NULL OR v.job_id = $3);

-- name: lock_variant
SELECT /*columns*/
FROM image_variants v
WHERE v.user_id = $1 AND v.variant_id = $2 AND ($3::bigint IS NULL OR v.job_id = $3)
FOR NO KEY UPDATE;

-- name: rate_variant
UPDATE image_variants v
SET is_favorite = $3, user_rating = $4
WHERE v.user_id = $1 AND v.variant_id = $2
RETURNING /*columns*/;

-- name: delete_variant
UPDATE image_variants v
SET deleted_at = coalesce(v.deleted_at, now())
WHERE v.user_id = $1 AND v.variant_id = $2
RETURNING /*columns*/;

-- name: restore_variant
UPDATE image_variants v
SET deleted_at = NULL
WHERE v.user_id = $1 AND v.variant_id = $2
RETURNING /*columns*/;
