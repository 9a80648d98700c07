-- The second line: a query of a user's that forgets its WHERE clause still sees one user.

CREATE FUNCTION studio_user_id() RETURNS BIGINT LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('studio.user_id', true), '')::bigint $$;

DO $$
DECLARE
    relation TEXT;
BEGIN
    FOREACH relation IN ARRAY ARRAY['api_keys', 'image_jobs', 'purchases', 'image_files',
        'image_variants', 'spending', 'language_calls', 'user_feed']
    LOOP
        EXECUTE format('CREATE POLICY own ON %I TO studio_user
            USING (user_id = (SELECT studio_user_id()))', relation);
    END LOOP;
    FOREACH relation IN ARRAY ARRAY['api_keys', 'image_jobs', 'purchases', 'image_files',
        'image_variants', 'spending', 'language_calls', 'user_feed', 'job_events',
        'purchase_outputs', 'image_presets', 'users']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', relation);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', relation);
        EXECUTE format('CREATE POLICY ledger ON %I TO studio_ledger USING (true)', relation);
    END LOOP;
END $$;

CREATE POLICY own ON users FOR SELECT TO studio_user USING (user_id = (SELECT studio_user_id()));
CREATE POLICY own ON job_events FOR SELECT TO studio_user
    USING (EXISTS (SELECT FROM image_jobs j WHERE j.job_id = job_events.job_id));
CREATE POLICY own ON purchase_outputs FOR SELECT TO studio_user
    USING (EXISTS (SELECT FROM purchases p WHERE p.purchase_id = purchase_outputs.purchase_id));
CREATE POLICY readable ON image_presets FOR SELECT TO studio_user
    USING (user_id = (SELECT studio_user_id()) OR is_system);
CREATE POLICY own_insert ON image_presets FOR INSERT TO studio_user
    WITH CHECK (user_id = (SELECT studio_user_id()) AND NOT is_system);
CREATE POLICY own_update ON image_presets FOR UPDATE TO studio_user
    USING (user_id = (SELECT studio_user_id()) AND NOT is_system);
CREATE POLICY own_delete ON image_presets FOR DELETE TO studio_user
    USING (user_id = (SELECT studio_user_id()) AND NOT is_system);

GRANT SELECT ON users, image_jobs, job_events, purchases, purchase_outputs, image_files,
    image_variants, spending, language_calls, user_feed, api_keys TO studio_user;
GRANT INSERT (user_id, hash, hint, label, scopes), UPDATE (revoked_at) ON api_keys TO studio_user;
GRANT INSERT (user_id, period, cap), UPDATE (cap) ON spending TO studio_user;
GRANT UPDATE (is_favorite, user_rating, deleted_at) ON image_variants TO studio_user;
GRANT SELECT, INSERT, UPDATE, DELETE ON image_presets TO studio_user;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO studio_ledger;
REVOKE INSERT, UPDATE, DELETE ON schema_migrations FROM studio_ledger;
