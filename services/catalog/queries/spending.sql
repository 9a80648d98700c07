-- Language calls: reserved under the cap before they are made, settled once.

-- The images that it is for must fit, too, and be sold: else it would be paid for in vain.
-- name: reserve_language_call_within_cap
WITH money AS (
    UPDATE spending
    SET reserved = reserved + $3
    WHERE user_id = $1 AND period = date_trunc('month', now() AT TIME ZONE 'utc')::date
      AND NOT EXISTS (SELECT FROM language_calls WHERE reservation_id = $2::uuid)
      AND NOT EXISTS (SELECT FROM permits WHERE provider = ANY ($8::text[]) AND /*refuses*/)
      AND ($4::bigint IS NULL OR spent + reserved + $3 + $7::bigint <= $4)
      AND (cap IS NULL OR spent + reserved + $3 + $7::bigint <= cap)
    RETURNING period
)
INSERT INTO language_calls (reservation_id, user_id, period, reserved, purpose, model, holder)
SELECT $2::uuid, $1, period, $3, $5, $6, $9::uuid FROM money
RETURNING reservation_id;

-- name: language_call
SELECT charged, cost, answer, model, holder,
       extract(epoch FROM clock_timestamp() - created_at) AS age
FROM language_calls
WHERE user_id = $1 AND reservation_id = $2::uuid;

-- Whoever never got to know whether it was reserved gives it back: a reservation that comes
-- after all finds its id taken. One that is under way is waited for.
-- name: bar_language_call
INSERT INTO language_calls (reservation_id, user_id, period, reserved, cost, charged, settled_at,
                            holder)
VALUES ($2::uuid, $1, date_trunc('month', now() AT TIME ZONE 'utc')::date, 0, 0, 'no', now(),
        $3::uuid)
ON CONFLICT (reservation_id) DO NOTHING;

-- What is told takes the place of what was only counted because nobody told it.
-- name: settle_language_call_if_open
WITH open AS (
    SELECT reservation_id, forgotten, coalesce(cost, 0) AS counted
    FROM language_calls
    WHERE user_id = $1 AND reservation_id = $2::uuid
      AND (settled_at IS NULL OR forgotten AND $3 <> 'unknown')
      AND ($6::uuid IS NULL OR holder = $6::uuid)
    FOR UPDATE
), settled AS (
    UPDATE language_calls c
    SET charged = $3, answer = $5, settled_at = now(), forgotten = false,
        cost = CASE $3 WHEN 'yes' THEN $4 WHEN 'no' THEN 0 ELSE reserved END
    FROM open
    WHERE c.reservation_id = open.reservation_id
    RETURNING c.user_id, c.period, c.cost, open.counted,
              CASE WHEN open.forgotten THEN 0 ELSE c.reserved END AS held
)
UPDATE spending
SET reserved = spending.reserved - settled.held,
    spent = spending.spent + settled.cost - settled.counted
FROM settled
WHERE spending.user_id = settled.user_id AND spending.period = settled.period;

-- Nobody came back to tell: it may have been charged, with all that was reserved at most.
-- name: close_forgotten_language_calls
WITH closed AS (
    UPDATE language_calls
    SET charged = 'unknown', cost = reserved, settled_at = now(), forgotten = true
    WHERE settled_at IS NULL AND created_at < now() - $1::interval
    RETURNING user_id, period, reserved
), sums AS (
    SELECT user_id, period, sum(reserved)::bigint AS reserved FROM closed GROUP BY user_id, period
)
UPDATE spending
SET reserved = spending.reserved - sums.reserved, spent = spending.spent + sums.reserved
FROM sums
WHERE spending.user_id = sums.user_id AND spending.period = sums.period;
