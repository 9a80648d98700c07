-- Language calls: reserved under the cap before they are made, settled once.

-- name: reserve_language_call_within_cap
WITH money AS (
    UPDATE spending
    SET reserved = reserved + $3
    WHERE user_id = $1 AND period = date_trunc('month', now() AT TIME ZONE 'utc')::date
      AND NOT EXISTS (SELECT FROM language_calls WHERE reservation_id = $2::uuid)
      AND ($4::bigint IS NULL OR spent + reserved + $3 <= $4)
      AND (cap IS NULL OR spent + reserved + $3 <= cap)
    RETURNING period
)
INSERT INTO language_calls (reservation_id, user_id, period, reserved, purpose, model)
SELECT $2::uuid, $1, period, $3, $5, $6 FROM money
RETURNING reservation_id;

-- name: language_call
SELECT charged, cost, answer, model, extract(epoch FROM clock_timestamp() - created_at) AS age
FROM language_calls
WHERE user_id = $1 AND reservation_id = $2::uuid;

-- name: settle_language_call_if_open
WITH settled AS (
    UPDATE language_calls
    SET charged = $3, answer = $5, settled_at = now(),
        cost = CASE $3 WHEN 'yes' THEN $4 WHEN 'no' THEN 0 ELSE reserved END
    WHERE user_id = $1 AND reservation_id = $2::uuid AND settled_at IS NULL
    RETURNING user_id, period, reserved, cost
)
UPDATE spending
SET reserved = spending.reserved - settled.reserved, spent = spending.spent + settled.cost
FROM settled
WHERE spending.user_id = settled.user_id AND spending.period = settled.period;

-- Nobody came back to tell: it may have been charged, with all that was reserved at most.
-- name: close_forgotten_language_calls
WITH closed AS (
    UPDATE language_calls
    SET charged = 'unknown', cost = reserved, settled_at = now()
    WHERE settled_at IS NULL AND created_at < now() - $1::interval
    RETURNING user_id, period, reserved
), sums AS (
    SELECT user_id, period, sum(reserved)::bigint AS reserved FROM closed GROUP BY user_id, period
)
UPDATE spending
SET reserved = spending.reserved - sums.reserved, spent = spending.spent + sums.reserved
FROM sums
WHERE spending.user_id = sums.user_id AND spending.period = sums.period;
