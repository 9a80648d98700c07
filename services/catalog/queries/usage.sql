-- role: studio_user
-- What was spent. A purchase counts at the time when its job was admitted, as it does for the cap.

-- fragment: counted
jobs AS (
    SELECT job_id, project, use_case, (created_at AT TIME ZONE 'utc')::date AS day
    FROM image_jobs
    WHERE user_id = $1 AND created_at >= $2 AND created_at < $3
), counted AS (
    SELECT p.model_key, jobs.project, jobs.use_case, jobs.day, 0 AS images,
           (p.state <> 'unclear')::integer AS purchases, p.cost,
           /*at_risk*/::integer AS risky,
           CASE WHEN /*at_risk*/ THEN p.cost + p.reserved ELSE 0 END AS risk
    FROM purchases p JOIN jobs USING (job_id)
    WHERE p.user_id = $1 AND (p.charged IN ('yes', 'unknown') OR p.state = 'unclear')
    UNION ALL
    SELECT v.model_key, jobs.project, jobs.use_case, jobs.day, 1, 0, 0, 0, 0
    FROM image_variants v JOIN jobs USING (job_id)
    WHERE v.user_id = $1
)

-- fragment: sums
sum(images)::bigint AS images, sum(purchases)::bigint AS purchases, sum(cost)::bigint AS cost,
sum(risky)::bigint AS risky, sum(risk)::bigint AS risk

-- name: usage_by_model
WITH /*counted*/
SELECT model_key AS key, /*sums*/ FROM counted GROUP BY 1 ORDER BY cost DESC, key;

-- name: usage_by_project
WITH /*counted*/
SELECT project AS key, /*sums*/ FROM counted GROUP BY 1 ORDER BY cost DESC, key;

-- name: usage_by_use_case
WITH /*counted*/
SELECT use_case AS key, /*sums*/ FROM counted GROUP BY 1 ORDER BY cost DESC, key;

-- name: usage_by_day
WITH /*counted*/
SELECT to_char(day, 'YYYY-MM-DD') AS key, /*sums*/ FROM counted GROUP BY day ORDER BY day;

-- Two looks, so that each finds its own index.
-- name: at_risk
SELECT count(*) AS count, coalesce(sum(cost + reserved), 0)::bigint AS micros
FROM (SELECT cost, reserved FROM purchases WHERE user_id = $1 AND charged = 'unknown'
      UNION ALL
      SELECT cost, reserved FROM purchases WHERE user_id = $1 AND state = 'unclear') AS risky;

-- name: language_cost
SELECT coalesce(sum(cost), 0)::bigint
FROM language_calls
WHERE user_id = $1 AND created_at >= $2 AND created_at < $3;

-- name: spend_cap
-- The present period's row, where there is one, else what it will begin with.
SELECT period.start AT TIME ZONE 'utc' AS begins,
       (period.start + interval '1 month') AT TIME ZONE 'utc' AS ends,
       coalesce(present.spent, 0) AS spent, coalesce(present.reserved, 0) AS reserved,
       (SELECT s.cap FROM spending s WHERE s.user_id = $1 ORDER BY s.period DESC LIMIT 1) AS cap,
       (SELECT coalesce(sum(p.cost), 0)::bigint FROM purchases p
        WHERE p.user_id = $1 AND p.period = period.start::date AND p.charged = 'unknown')
       + (SELECT coalesce(sum(l.cost), 0)::bigint FROM language_calls l
          WHERE l.user_id = $1 AND l.period = period.start::date AND l.charged = 'unknown')
       AS unclear
FROM (SELECT date_trunc('month', now() AT TIME ZONE 'utc') AS start) AS period
LEFT JOIN spending present ON present.user_id = $1 AND present.period = period.start::date;

-- name: set_spend_cap
INSERT INTO spending (user_id, period, cap)
VALUES ($1, date_trunc('month', now() AT TIME ZONE 'utc')::date, $2)
ON CONFLICT (user_id, period) DO UPDATE SET cap = excluded.cap;
