-- role: studio_user
-- API keys of the caller's.

-- fragment: columns
k.api_key_id, k.user_id, u.subject, k.label, k.scopes, k.hint, k.created_at, k.revoked_at

-- name: create_key
WITH k AS (
    INSERT INTO api_keys (user_id, hash, hint, label, scopes) VALUES ($1, $2, $3, $4, $5)
    RETURNING *
)
SELECT /*columns*/ FROM k JOIN users u USING (user_id);

-- name: list_keys
SELECT /*columns*/
FROM api_keys k JOIN users u USING (user_id)
WHERE k.user_id = $1 AND k.api_key_id < $2
ORDER BY k.api_key_id DESC
LIMIT $3;

-- name: revoke_key
WITH k AS (
    UPDATE api_keys SET revoked_at = coalesce(revoked_at, now())
    WHERE user_id = $1 AND api_key_id = $2
    RETURNING *
)
SELECT /*columns*/ FROM k JOIN users u USING (user_id);
