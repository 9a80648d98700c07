-- role: studio_user
-- Presets: the user's own and the system's, which all may read and nobody may change.

-- fragment: columns
preset_id, user_id, preset_key, name, model_key, parameters, batch_count, smart_prompt_enabled,
use_case, is_system, prompt_template, negative_prompt, etag, created_at, updated_at

-- name: get_preset
SELECT /*columns*/
FROM image_presets
WHERE (user_id = $1 OR is_system) AND preset_id = $2;

-- name: get_preset_by_key
SELECT /*columns*/
FROM image_presets
WHERE (user_id = $1 OR is_system) AND preset_key = $2
ORDER BY is_system
LIMIT 1;

-- name: list_presets
SELECT /*columns*/
FROM image_presets p
WHERE (p.user_id = $1 OR p.is_system)
  AND p.preset_key > $2
  AND ($4::text IS NULL OR p.use_case = $4)
  AND ($5::text[] IS NULL OR p.model_key = '' OR p.model_key = ANY ($5))
  AND NOT (p.is_system AND EXISTS (
        SELECT FROM image_presets own
        WHERE own.user_id = $1 AND NOT own.is_system AND own.preset_key = p.preset_key))
ORDER BY p.preset_key
LIMIT $3;

-- name: insert_preset_if_new
INSERT INTO image_presets (user_id, preset_key, name, model_key, parameters, batch_count,
                           smart_prompt_enabled, use_case, prompt_template, negative_prompt,
                           request_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT DO NOTHING
RETURNING /*columns*/;

-- name: get_preset_by_request
SELECT /*columns*/
FROM image_presets
WHERE user_id = $1 AND request_id = $2;

-- name: lock_preset
SELECT /*columns*/
FROM image_presets
WHERE user_id = $1 AND NOT is_system AND preset_id = $2
FOR UPDATE;

-- name: write_preset_if_key_is_free
UPDATE image_presets p
SET preset_key = $3, name = $4, model_key = $5, parameters = $6, batch_count = $7,
    smart_prompt_enabled = $8, use_case = $9, prompt_template = $10, negative_prompt = $11,
    etag = p.etag + 1, updated_at = now()
WHERE p.user_id = $1 AND NOT p.is_system AND p.preset_id = $2
  AND NOT EXISTS (SELECT FROM image_presets q
                  WHERE q.user_id = $1 AND q.preset_key = $3 AND q.preset_id <> $2)
RETURNING /*columns*/;

-- name: delete_preset
DELETE FROM image_presets
WHERE user_id = $1 AND NOT is_system AND preset_id = $2;
