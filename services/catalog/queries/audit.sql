-- What an audit reads, in one snapshot: the ledger as it stands, whole tables in the order of
-- their keys.

-- name: audit_users
SELECT user_id, subject FROM users ORDER BY user_id;

-- name: audit_jobs
SELECT job_id, user_id, request_id, state, cost, last_sequence, last_version, open_purchases,
       publishing, ended_at IS NOT NULL AS ended
FROM image_jobs
ORDER BY job_id;

-- name: audit_events
SELECT job_id, array_agg(sequence ORDER BY sequence) AS sequences,
       array_agg(kind ORDER BY sequence) AS kinds
FROM job_events
GROUP BY job_id
ORDER BY job_id;

-- name: audit_purchases
SELECT purchase_id, job_id, user_id, provider, model_key, ordinal, attempt, tries, state, ending,
       owner, fence, ticket, period, reserved, cost, charged, publishing, error::text AS error,
       not_before, sent_at
FROM purchases
ORDER BY purchase_id;

-- name: audit_outputs
SELECT purchase_id, index, state, image_hash, to_publish FROM purchase_outputs
ORDER BY purchase_id, index;

-- name: audit_variants
SELECT user_id, variant_id, job_id, purchase_id, output_index, version_number, image_hash, cost,
       cdn_url, published_at IS NOT NULL AS published
FROM image_variants
ORDER BY user_id, variant_id;

-- name: audit_files
SELECT user_id, image_hash, link, bytes FROM image_files ORDER BY user_id, image_hash;

-- name: audit_spending
SELECT user_id, period, cap, spent, reserved FROM spending ORDER BY user_id, period;

-- name: audit_permits
SELECT provider, in_use, max_in_flight, max_per_minute FROM permits ORDER BY provider;
