-- What may have been charged: added up, settled, ordered again.

-- name: risks_of_jobs
SELECT p.job_id, count(*) AS count, sum(p.cost + p.reserved)::bigint AS micros
FROM purchases p
WHERE p.job_id = ANY ($1::bigint[]) AND /*at_risk*/
GROUP BY p.job_id;

-- name: settlements_of_purchases
SELECT /*settlement*/
FROM charge_settlements s
WHERE s.purchase_id = ANY ($1::uuid[]);

-- name: insert_settlements
INSERT INTO charge_settlements
    (purchase_id, user_id, charged, cost, counted, settled_by, settled_at)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[],
                     $6::bigint[], $7::timestamptz[]);

-- The first of each place that has no picture and gets none by itself any more.
-- name: unclear_of_job
SELECT DISTINCT ON (p.ordinal) p.purchase_id, p.provider, p.model_key, p.ordinal, p.attempt,
       p.state, p.ending, p.charged, p.cost, p.reserved, p.fingerprint, p.not_before, p.deadline,
       coalesce(p.repeats, p.purchase_id) AS repeats
FROM purchases p
WHERE p.job_id = $1 AND /*at_risk*/
  AND NOT EXISTS (SELECT FROM purchases q
                  WHERE q.job_id = p.job_id AND q.ordinal = p.ordinal
                    AND q.state NOT IN ('ended', 'void', 'quarantined', 'unclear'))
ORDER BY p.ordinal, p.state <> 'unclear', p.attempt;
