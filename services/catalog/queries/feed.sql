-- role: studio_user
-- A user's feed as he watches it.

-- name: feed_position
SELECT feed_sequence FROM users WHERE user_id = $1;

-- name: feed_after
SELECT sequence, payload, created_at FROM user_feed
WHERE user_id = $1 AND sequence > $2
ORDER BY sequence
LIMIT $3;
