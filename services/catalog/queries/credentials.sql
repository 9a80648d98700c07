-- role: studio_ledger
-- Before a user is known, and for services that act for all of them.

-- fragment: columns
k.api_key_id, k.user_id, u.subject, k.label, k.scopes, k.hint, k.created_at, k.revoked_at

-- name: user_of_key
SELECT user_id, scopes FROM api_keys WHERE hash = $1 AND revoked_at IS NULL;

-- name: user_of_subject
SELECT user_id FROM users WHERE subject = $1;

-- name: add_user
INSERT INTO users (subject) VALUES ($1) ON CONFLICT (subject) DO NOTHING;

-- name: list_keys_of_all
SELECT /*columns*/
FROM api_keys k JOIN users u USING (user_id)
WHERE k.api_key_id < $1
ORDER BY k.api_key_id DESC
LIMIT $2;

-- name: revoke_key_of_any
WITH k AS (
    UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE api_key_id = $1
    RETURNING *
)
SELECT /*columns*/ FROM k JOIN users u USING (user_id);
