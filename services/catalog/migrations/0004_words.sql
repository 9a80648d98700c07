-- Search by words, and the indexes of lists.
--
-- PostgreSQL does not let the operator @@ use an index under row security, since it is not
-- leakproof. These two functions run as studio_ledger, name the user themselves, and bring
-- ids alone: the rows are then read under row security, as always.
--
-- They look at the newest *most* that match below an id. A word of half of all prompts is so
-- found on the way down the newest, a rare one through the index: the planner knows which,
-- as it sees the words (force_custom_plan).

CREATE INDEX image_jobs_words ON image_jobs
    USING gin (to_tsvector('simple', title || ' ' || left(original_prompt, 20000)));
CREATE INDEX image_jobs_of_project ON image_jobs (user_id, project, job_id) WHERE project <> '';
CREATE INDEX image_jobs_of_use_case ON image_jobs (user_id, use_case, job_id) WHERE use_case <> '';
CREATE INDEX image_jobs_of_preset ON image_jobs (user_id, preset_used, job_id)
    WHERE preset_used <> '';
CREATE INDEX image_jobs_by_time ON image_jobs (user_id, created_at);
CREATE INDEX image_variants_of_model ON image_variants (user_id, model_key, variant_id);
CREATE INDEX image_variants_rated ON image_variants (user_id, variant_id)
    WHERE user_rating IS NOT NULL;
CREATE INDEX purchases_never_cleared ON purchases (user_id, period) WHERE charged = 'unknown';

GRANT CREATE ON SCHEMA public TO studio_ledger;
SET LOCAL ROLE studio_ledger;

CREATE FUNCTION variants_with_words(words TEXT, below BIGINT, most INTEGER, deleted BOOLEAN)
RETURNS TABLE (found_id BIGINT, rank REAL)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    own BIGINT := studio_user_id();
    wanted TSQUERY := websearch_to_tsquery('simple', words);
BEGIN
    RETURN QUERY
    SELECT newest.variant_id, ts_rank(newest.search, wanted)
    FROM (SELECT v.variant_id, v.search FROM image_variants v
          WHERE v.user_id = own AND v.variant_id < below AND v.search @@ wanted
            AND (deleted OR v.deleted_at IS NULL)
          ORDER BY v.variant_id DESC LIMIT most) AS newest;
END $$;

CREATE FUNCTION jobs_with_words(words TEXT, below BIGINT, most INTEGER)
RETURNS SETOF BIGINT
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    own BIGINT := studio_user_id();
    wanted TSQUERY := websearch_to_tsquery('simple', words);
BEGIN
    RETURN QUERY
    SELECT j.job_id FROM image_jobs j
    WHERE j.user_id = own AND j.job_id < below
      AND to_tsvector('simple', j.title || ' ' || left(j.original_prompt, 20000)) @@ wanted
    ORDER BY j.job_id DESC LIMIT most;
END $$;

REVOKE ALL ON FUNCTION variants_with_words, jobs_with_words FROM PUBLIC;
GRANT EXECUTE ON FUNCTION variants_with_words, jobs_with_words TO studio_user;

RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM studio_ledger;
