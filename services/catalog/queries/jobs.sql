-- role: studio_user
-- Jobs as their user sees them.

-- fragment: columns
j.job_id, j.user_id, j.title, j.project, j.use_case, j.preset_used, j.state, j.original_prompt,
j.enhanced_prompt, j.enhanced_by, j.spec::text AS spec, j.request_id, j.fingerprint,
j.last_sequence, j.last_version, j.cost, j.retry_of, j.created_at, j.updated_at, j.ended_at

-- name: get_job
SELECT /*columns*/
FROM image_jobs j
WHERE j.user_id = $1 AND j.job_id = $2;

-- name: list_jobs
SELECT /*columns*/
FROM image_jobs j
WHERE j.user_id = $1
  AND j.job_id < $2
  AND ($4::text[] IS NULL OR j.state = ANY ($4))
  AND ($5::text[] IS NULL OR j.spec -> 'models' ?| $5)
  AND ($6::text IS NULL OR j.project = $6)
  AND ($7::text IS NULL OR j.use_case = $7)
  AND ($8::text IS NULL OR j.preset_used = $8)
  AND ($9::timestamptz IS NULL OR j.created_at >= $9)
  AND ($10::timestamptz IS NULL OR j.created_at < $10)
  AND ($11::bigint[] IS NULL OR j.job_id = ANY ($11))
ORDER BY j.job_id DESC
LIMIT $3;

-- name: find_jobs
-- The user is the transaction's: see 0004_words.sql.
SELECT found_id FROM jobs_with_words($1, $2, $3) AS found_id;

-- name: jobs_at_risk
-- Two looks, so that each finds its own index.
SELECT job_id FROM purchases WHERE user_id = $1 AND charged = 'unknown'
UNION
SELECT job_id FROM purchases WHERE user_id = $1 AND state = 'unclear';

-- name: job_exists
SELECT EXISTS (SELECT FROM image_jobs WHERE user_id = $1 AND job_id = $2);

-- name: images_of_job
SELECT /*image*/
FROM image_variants v
WHERE v.user_id = $1 AND v.job_id = $2 AND v.deleted_at IS NULL
ORDER BY v.version_number;

-- name: risks_of_own_jobs
SELECT p.job_id, count(*) AS count, sum(p.cost + p.reserved)::bigint AS micros
FROM purchases p
WHERE p.user_id = $1 AND p.job_id = ANY ($2::bigint[]) AND /*at_risk*/
GROUP BY p.job_id;

-- name: settlement_of_purchase
SELECT /*settlement*/
FROM charge_settlements s
WHERE s.user_id = $1 AND s.purchase_id = $2;

-- name: failures_of_job
SELECT /*failure*/
FROM purchases p
WHERE p.user_id = $1 AND p.job_id = $2 AND /*failed*/
ORDER BY p.job_id, p.ordinal, p.attempt DESC;
