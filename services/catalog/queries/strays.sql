-- The inbox of webhooks, and tickets at a provider that no purchase holds: see 0010_strays.sql.

-- fragment: holder
(SELECT p.purchase_id FROM purchases p WHERE p.provider = $2 AND p.ticket = $4)

-- name: store_webhook
-- A row only where it is new. Its holder is the purchase that has this ticket; told is whether
-- there was a row of that ticket of nobody's before.
INSERT INTO webhook_inbox (webhook_id, provider, purchase_id, ticket, fence, standing)
SELECT $1, $2, $3::uuid, $4, $5,
       CASE WHEN /*holder*/ IS NOT NULL THEN 'heard'
            WHEN EXISTS (SELECT FROM purchases p
                         WHERE p.purchase_id = $3::uuid AND (p.provider = $2) IS TRUE) THEN 'stray'
            ELSE 'unknown' END
ON CONFLICT (webhook_id) DO NOTHING
RETURNING standing, /*holder*/ AS holder,
          EXISTS (SELECT FROM webhook_inbox w
                  WHERE w.provider = $2 AND w.ticket = $4 AND w.standing = 'unknown') AS told;

-- name: forget_webhooks
DELETE FROM webhook_inbox WHERE created_at < now() - $1::interval;

-- name: note_listed_tickets
-- A row for each of a provider's list that nobody holds and that is new here.
INSERT INTO webhook_inbox (webhook_id, provider, purchase_id, ticket, fence, standing)
SELECT 'listed:' || asked.ticket, $1, asked.purchase_id, asked.ticket, coalesce(named.fence, 0),
       CASE WHEN named.purchase_id IS NULL THEN 'unknown' ELSE 'stray' END
FROM unnest($2::text[], $3::uuid[], $4::boolean[]) AS asked (ticket, purchase_id, ours)
LEFT JOIN purchases named ON named.purchase_id = asked.purchase_id AND named.provider = $1
WHERE (named.purchase_id IS NOT NULL OR asked.ours)
  AND NOT EXISTS (SELECT FROM purchases p WHERE p.provider = $1 AND p.ticket = asked.ticket)
ORDER BY asked.ticket
ON CONFLICT (webhook_id) DO NOTHING
RETURNING ticket, purchase_id, standing,
          EXISTS (SELECT FROM webhook_inbox w
                  WHERE w.provider = $1 AND w.ticket = webhook_inbox.ticket
                    AND w.standing = 'unknown') AS told;

-- name: disown_strays
UPDATE webhook_inbox w
SET standing = 'unknown'
FROM unnest($2::text[], $3::uuid[]) AS asked (ticket, purchase_id)
WHERE w.provider = $1 AND w.standing = 'stray' AND w.ticket = asked.ticket
  AND w.purchase_id = asked.purchase_id
RETURNING w.ticket, w.purchase_id;

-- name: forget_held_strays
-- What was nobody's when it came and is somebody's now.
UPDATE webhook_inbox w
SET standing = 'heard'
WHERE w.provider = $1 AND w.standing <> 'heard'
  AND EXISTS (SELECT FROM purchases p WHERE p.provider = w.provider AND p.ticket = w.ticket);

-- name: strays
-- What can be judged now, in no order: one that nobody can judge keeps no other waiting.
SELECT w.ticket, w.purchase_id, bool_or(w.webhook_id LIKE 'late:%') AS first_hand
FROM webhook_inbox w JOIN purchases named USING (purchase_id)
WHERE w.provider = $1 AND w.standing = 'stray' AND named.state NOT IN ('sending', 'unclear')
GROUP BY w.ticket, w.purchase_id
ORDER BY random()
LIMIT $2;

-- name: count_unknown_tickets
-- Those that nobody could judge in an hour, too.
SELECT count(DISTINCT ticket) FROM webhook_inbox
WHERE provider = $1
  AND (standing = 'unknown' OR standing = 'stray' AND created_at < now() - interval '1 hour');

-- name: begin_listing
-- A row for who is to read the list now: from where the last one who came to its end had begun.
INSERT INTO listings AS l (provider, read_to, begun_at)
VALUES ($1, now() - $3::interval, now())
ON CONFLICT (provider) DO UPDATE
SET begun_at = now()
WHERE l.begun_at <= now() - $2::interval
RETURNING read_to, begun_at;

-- name: end_listing
UPDATE listings SET read_to = greatest(read_to, $2::timestamptz - $3::interval)
WHERE provider = $1;
