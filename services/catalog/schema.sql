-- The schema after all migrations. Made by `python -m services.catalog.schema`; never edited.

CREATE OR REPLACE FUNCTION public.jobs_with_words(words text, below bigint, most integer)
 RETURNS SETOF bigint
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
DECLARE
    own BIGINT := studio_user_id();
    wanted TSQUERY := websearch_to_tsquery('simple', words);
BEGIN
    RETURN QUERY
    SELECT j.job_id FROM image_jobs j
    WHERE j.user_id = own AND j.job_id < below
      AND to_tsvector('simple', j.title || ' ' || left(j.original_prompt, 20000)) @@ wanted
    ORDER BY j.job_id DESC LIMIT most;
END $function$
;
ALTER FUNCTION jobs_with_words OWNER TO studio_ledger;
GRANT EXECUTE ON FUNCTION jobs_with_words TO studio_user;

CREATE OR REPLACE FUNCTION public.studio_user_id()
 RETURNS bigint
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ SELECT nullif(current_setting('studio.user_id', true), '')::bigint $function$
;

CREATE OR REPLACE FUNCTION public.variants_with_words(words text, below bigint, most integer, deleted boolean)
 RETURNS TABLE(found_id bigint, rank real)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
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
END $function$
;
ALTER FUNCTION variants_with_words OWNER TO studio_ledger;
GRANT EXECUTE ON FUNCTION variants_with_words TO studio_user;

CREATE TABLE api_keys (
    api_key_id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    user_id bigint NOT NULL,
    hash bytea NOT NULL,
    hint text NOT NULL,
    label text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT api_keys_pkey PRIMARY KEY (api_key_id),
    CONSTRAINT api_keys_hash_key UNIQUE (hash),
    CONSTRAINT api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(user_id)
);
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY ledger ON api_keys FOR ALL TO studio_ledger
    USING (true);
CREATE POLICY own ON api_keys FOR ALL TO studio_user
    USING ((user_id = ( SELECT studio_user_id() AS studio_user_id)));
GRANT DELETE, INSERT, SELECT, UPDATE ON api_keys TO studio_ledger;
GRANT INSERT (user_id, hash, hint, label, scopes), SELECT, UPDATE (revoked_at) ON api_keys TO studio_user;

CREATE TABLE charge_settlements (
    purchase_id uuid NOT NULL,
    user_id bigint NOT NULL,
    charged text NOT NULL,
    cost bigint NOT NULL,
    counted bigint NOT NULL,
    settled_by bigint NOT NULL,
    settled_at timestamp with time zone NOT NULL,
    CONSTRAINT charge_settlements_pkey PRIMARY KEY (purchase_id),
    CONSTRAINT charge_settlements_charged_check CHECK ((charged = ANY (ARRAY['yes'::text, 'no'::text]))),
    CONSTRAINT charge_settlements_cost_check CHECK ((cost >= 0)),
    CONSTRAINT charge_settlements_counted_check CHECK ((counted >= 0)),
    CONSTRAINT charge_settlements_purchase_id_fkey FOREIGN KEY (purchase_id) REFERENCES purchases(purchase_id) ON DELETE CASCADE,
    CONSTRAINT charge_settlements_settled_by_fkey FOREIGN KEY (settled_by) REFERENCES users(user_id),
    CONSTRAINT charge_settlements_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(user_id)
);
ALTER TABLE charge_settlements ENABLE ROW LEVEL SECURITY;
ALTER TABLE charge_settlements FORCE ROW LEVEL SECURITY;
CREATE POLICY ledger ON charge_settlements FOR ALL TO studio_ledger
    USING (true);
CREATE POLICY own ON charge_settlements FOR ALL TO studio_user
    USING ((user_id = ( SELECT studio_user_id() AS studio_user_id)));
GRANT DELETE, INSERT, SELECT, UPDATE ON charge_settlements TO studio_ledger;
GRANT SELECT ON charge_settlements TO studio_user;

CREATE TABLE image_files (
    user_id bigint NOT NULL,
    image_hash text NOT NULL,
    link text NOT NULL,
    media_type text NOT NULL,
    bytes bigint NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    readable boolean NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT image_files_pkey PRIMARY KEY (user_id, image_hash),
    CONSTRAINT image_files_link_key UNIQUE (link),
    CONSTRAINT image_files_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(user_id)
);
ALTER TABLE image_files ENABLE ROW LEVEL SECURITY;
ALTER TABLE image_files FORCE ROW LEVEL SECURITY;
CREATE POLICY ledger ON image_files FOR ALL TO studio_ledger
    USING (true);
CREATE POLICY own ON image_files FOR ALL TO studio_user
    USING ((user_id = ( SELECT studio_user_id() AS studio_user_id)));
GRANT DELETE, INSERT, SELECT, UPDATE ON image_files TO studio_ledger;
GRANT SELECT ON image_files TO studio_user;

CREATE TABLE image_jobs (
    job_id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    user_id bigint NOT NULL,
    title text NOT NULL,
    project text DEFAULT ''::text NOT NULL,
    use_case text DEFAULT ''::text NOT NULL,
    preset_used text DEFAULT ''::text NOT NULL,
    state text NOT NULL,
    original_prompt text NOT NULL,
    spec jsonb NOT NULL,
    request_id uuid NOT NULL,
    fingerprint text NOT NULL,
    last_sequence bigint NOT NULL,
    last_version integer DEFAULT 0 NOT NULL,
    open_purchases integer NOT NULL,
    cost bigint DEFAULT 0 NOT NULL,
    retry_of bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    publishing integer DEFAULT 0 NOT NULL,
    complete_by timestamp with time zone,
    enhanced_prompt text DEFAULT ''::text NOT NULL,
    enhanced_by text DEFAULT ''::text NOT NULL,
    CONSTRAINT image_jobs_pkey PRIMARY KEY (job_id),
    CONSTRAINT image_jobs_open_purchases_check CHECK ((open_purchases >= 0)),
    CONSTRAINT image_jobs_publishing_check CHECK ((publishing >= 0)),
    CONSTRAINT image_jobs_retry_of_fkey FOREIGN KEY (retry_of) REFERENCES image_jobs(job_id),
    CONSTRAINT image_jobs_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'canceling'::text, 'succeeded'::text, 'partially_succeeded'::text, 'failed'::text, 'canceled'::text]))),
    CONSTRAINT image_jobs_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(user_id),
    CONSTRAINT image_jobs_user_id_request_id_key UNIQUE (user_id, request_id)
) WITH (fillfactor=70);
CREATE INDEX image_jobs_by_time ON public.image_jobs USING btree (user_id, created_at);
CREATE INDEX image_jobs_of_preset ON public.image_jobs USING btree (user_id, preset_used, job_id) WHERE (preset_used <> ''::text);
CREATE INDEX image_jobs_of_project ON public.image_jobs USING btree (user_id, project, job_id) WHERE (project <> ''::text);
CREATE INDEX image_jobs_of_use_case ON public.image_jobs USING btree (user_id, use_case, job_id) WHERE (use_case <> ''::text);
CREATE INDEX image_jobs_of_user ON public.image_jobs USING btree (user_id, job_id DESC);
CREATE INDEX image_jobs_waiting ON public.image_jobs USING btree (complete_by) WHERE ((ended_at IS NULL) AND (complete_by IS NOT NULL));
CREATE INDEX image_jobs_words ON public.image_jobs USING gin (to_tsvector('simple'::regconfig, ((title || ' '::text) || "left"(original_prompt, 20000))));
ALTER TABLE image_jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE image_jobs FORCE ROW LEVEL SECURITY;
CREATE POLICY ledger ON image_jobs FOR ALL TO studio_ledger
    USING (true);
CREATE POLICY own ON image_jobs FOR ALL TO studio_user
    USING ((user_id = ( SELECT studio_user_id() AS studio_user_id)));
GRANT DELETE, INSERT, SELECT, UPDATE ON image_jobs TO studio_ledger;
GRANT SELECT ON image_jobs TO studio_user;

CREATE TABLE image_presets (
    preset_id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    user_id bigint NOT NULL,
    preset_key text NOT NULL,
    name text NOT NULL,
    model_key text DEFAULT ''::text NOT NULL,
    parameters jsonb DEFAULT '{}'::jsonb NOT NULL,
    batch_count integer DEFAULT 0 NOT NULL,
    smart_prompt_enabled boolean DEFAULT false NOT NULL,
    use_case text DEFAULT ''::text NOT NULL,
    is_system boolean DEFAULT false NOT NULL,
    prompt_template text DEFAULT ''::text NOT NULL,
    negative_prompt text DEFAULT ''::text NOT NULL,
    request_id uuid,
    etag bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT image_presets_pkey PRIMARY KEY (preset_id),
    CONSTRAINT image_presets_batch_count_check CHECK (((batch_count >= 0) AND (batch_count <= 32))),
    CONSTRAINT image_presets_preset_key_check CHECK ((preset_key ~ '^[a-z][a-z0-9-]{0,62}$'::text)),
    CONSTRAINT image_presets_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(user_id),
    CONSTRAINT image_presets_user_id_preset_key_key UNIQUE (user_id, preset_key),
    CONSTRAINT image_presets_user_id_request_id_key UNIQUE (user_id, request_id)
);
ALTER TABLE image_presets ENABLE ROW LEVEL SECURITY;
ALTER TABLE image_presets FORCE ROW LEVEL SECURITY;
CREATE POLICY ledger ON image_presets FOR ALL TO studio_ledger
    USING (true);
CREATE POLICY own_delete ON image_presets FOR DELETE TO studio_user
    USING (((user_id = ( SELECT studio_user_id() AS studio_user_id)) AND (NOT is_system)));
CREATE POLICY own_insert ON image_presets FOR INSERT TO studio_user
    WITH CHECK (((user_id = ( SELECT studio_user_id() AS studio_user_id)) AND (NOT is_system)));
CREATE POLICY own_update ON image_presets FOR UPDATE TO studio_user
    USING (((user_id = ( SELECT studio_user_id() AS studio_user_id)) AND (NOT is_system)));
CREATE POLICY readable ON image_presets FOR SELECT TO studio_user
    USING (((user_id = ( SELECT studio_user_id() AS studio_user_id)) OR is_system));
GRANT DELETE, INSERT, SELECT, UPDATE ON image_presets TO studio_ledger;
GRANT DELETE, INSERT, SELECT, UPDATE ON image_presets TO studio_user;

CREATE TABLE image_variants (
    variant_id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    job_id bigint NOT NULL,
    user_id bigint NOT NULL,
    version_number integer NOT NULL,
    model_key text NOT NULL,
    model_version text DEFAULT ''::text NOT NULL,
    original_prompt text NOT NULL,
    enhanced_prompt text DEFAULT ''::text NOT NULL,
    enhanced_by text DEFAULT ''::text NOT NULL,
    negative_prompt text DEFAULT ''::text NOT NULL,
    parameters jsonb DEFAULT '{}'::jsonb NOT NULL,
    cdn_url text NOT NULL,
    thumbnail_url text NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    seed bigint,
    generation_time_ms integer,
    cost bigint NOT NULL,
    cost_usd numeric(10,4) GENERATED ALWAYS AS (round(((cost)::numeric / 1000000.0), 4)) STORED,
    replicate_prediction_id text,
    image_hash text NOT NULL,
    is_favorite boolean DEFAULT false NOT NULL,
    user_rating integer,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    purchase_id uuid NOT NULL,
    output_index integer NOT NULL,
    media_type text NOT NULL,
    bytes bigint NOT NULL,
    thumbhash bytea DEFAULT '\x'::bytea NOT NULL,
    published_at timestamp with time zone,
    deleted_at timestamp with time zone,
    search tsvector GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, (("left"(original_prompt, 20000) || ' '::text) || "left"(enhanced_prompt, 20000)))) STORED,
    CONSTRAINT image_variants_pkey PRIMARY KEY (user_id, variant_id) INCLUDE (created_at, width, height, deleted_at),
    CONSTRAINT image_variants_check CHECK (((cdn_url ~~ '/i/%'::text) OR (published_at IS NOT NULL))),
    CONSTRAINT image_variants_cost_check CHECK ((cost >= 0)),
    CONSTRAINT image_variants_job_id_fkey FOREIGN KEY (job_id) REFERENCES image_jobs(job_id) ON DELETE CASCADE,
    CONSTRAINT image_variants_job_id_version_number_key UNIQUE (job_id, version_number) INCLUDE (user_id, model_key),
    CONSTRAINT image_variants_no_vendors_url CHECK ((((cdn_url || ' '::text) || thumbnail_url) !~* '://[^/ ]*(replicate\.(delivery|com)|openai\.com|oaidalle|blob\.core|bfl\.ai|ideogram\.ai|recraft\.ai)'::text)) NOT VALID,
    CONSTRAINT image_variants_purchase_id_output_index_key UNIQUE (purchase_id, output_index),
    CONSTRAINT image_variants_user_id_image_hash_fkey FOREIGN KEY (user_id, image_hash) REFERENCES image_files(user_id, image_hash),
    CONSTRAINT image_variants_user_rating_check CHECK (((user_rating >= 1) AND (user_rating <= 5)))
);
CREATE INDEX image_variants_favorites ON public.image_variants USING btree (user_id, variant_id DESC) WHERE (is_favorite AND (deleted_at IS NULL));
CREATE INDEX image_variants_of_file ON public.image_variants USING btree (user_id, image_hash);
CREATE INDEX image_variants_of_model ON public.image_variants USING btree (user_id, model_key, variant_id);
CREATE INDEX image_variants_rated ON public.image_variants USING btree (user_id, variant_id) WHERE (user_rating IS NOT NULL);
CREATE INDEX image_variants_search ON public.image_variants USING gin (search);
ALTER TABLE image_variants ENABLE ROW LEVEL SECURITY;
ALTER TABLE image_variants FORCE ROW LEVEL SECURITY;
CREATE POLICY ledger ON image_variants FOR ALL TO studio_ledger
    USING (true);
CREATE POLICY own ON image_variants FOR ALL TO studio_user
    USING ((user_id = ( SELECT studio_user_id() AS studio_user_id)));
GRANT DELETE, INSERT, SELECT, UPDATE ON image_variants TO studio_ledger;
GRANT SELECT, UPDATE (is_favorite, user_rating, deleted_at) ON image_variants TO studio_user;

CREATE TABLE job_events (
    job_id bigint NOT NULL,
    sequence bigint NOT NULL,
    kind text NOT NULL,
    payload bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT job_events_pkey PRIMARY KEY (job_id, sequence),
    CONSTRAINT job_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES image_jobs(job_id) ON DELETE CASCADE
);
ALTER TABLE job_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE job_events FORCE ROW LEVEL SECURITY;
CREATE POLICY ledger ON job_events FOR ALL TO studio_ledger
    USING (true);
CREATE POLICY own ON job_events FOR SELECT TO studio_user
    USING ((EXISTS ( SELECT
   FROM image_jobs j
  WHERE (j.job_id = job_events.job_id))));
GRANT DELETE, INSERT, SELECT, UPDATE ON job_events TO studio_ledger;
GRANT SELECT ON job_events TO studio_user;

CREATE TABLE language_calls (
    reservation_id uuid NOT NULL,
    user_id bigint NOT NULL,
    period date NOT NULL,
    reserved bigint NOT NULL,
    cost bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    settled_at timestamp with time zone,
    purpose text DEFAULT ''::text NOT NULL,
    model text DEFAULT ''::text NOT NULL,
    charged text,
    answer text DEFAULT ''::text NOT NULL,
    holder uuid,
    forgotten boolean DEFAULT false NOT NULL,
    CONSTRAINT language_calls_pkey PRIMARY KEY (reservation_id),
    CONSTRAINT language_calls_charged_check CHECK ((charged = ANY (ARRAY['yes'::text, 'no'::text, 'unknown'::text]))),
    CONSTRAINT language_calls_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(user_id)
);
CREATE INDEX language_calls_of_user ON public.language_calls USING btree (user_id, created_at);
CREATE INDEX language_calls_open ON public.language_calls USING btree (created_at) WHERE (settled_at IS NULL);
ALTER TABLE language_calls ENABLE ROW LEVEL SECURITY;
ALTER TABLE language_calls FORCE ROW LEVEL SECURITY;
CREATE POLICY ledger ON language_calls FOR ALL TO studio_ledger
    USING (true);
CREATE POLICY own ON language_calls FOR ALL TO studio_user
    USING ((user_id = ( SELECT studio_user_id() AS studio_user_id)));
GRANT DELETE, INSERT, SELECT, UPDATE ON language_calls TO studio_ledger;
GRANT SELECT ON language_calls TO studio_user;

CREATE TABLE listings (
    provider text NOT NULL,
    read_to timestamp with time zone NOT NULL,
    begun_at timestamp with time zone NOT NULL,
    CONSTRAINT listings_pkey PRIMARY KEY (provider)
);
GRANT DELETE, INSERT, SELECT, UPDATE ON listings TO studio_ledger;

CREATE TABLE permits (
    provider text NOT NULL,
    in_use integer DEFAULT 0 NOT NULL,
    max_in_flight integer DEFAULT 0 NOT NULL,
    tokens double precision DEFAULT 0 NOT NULL,
    max_per_minute integer DEFAULT 0 NOT NULL,
    refilled_at timestamp with time zone DEFAULT now() NOT NULL,
    lookup_possible boolean DEFAULT false NOT NULL,
    lookup_lag interval DEFAULT '00:02:00'::interval NOT NULL,
    watched boolean DEFAULT false NOT NULL,
    sending integer DEFAULT 0 NOT NULL,
    orders_left integer,
    renewed_at timestamp with time zone,
    breaker text DEFAULT 'closed'::text NOT NULL,
    recent text DEFAULT ''::text NOT NULL,
    heard_at timestamp with time zone,
    retry_at timestamp with time zone,
    probe uuid,
    openings integer DEFAULT 0 NOT NULL,
    refusal jsonb,
    lookup_in_receipts boolean DEFAULT false NOT NULL,
    CONSTRAINT permits_pkey PRIMARY KEY (provider),
    CONSTRAINT permits_breaker_check CHECK ((breaker = ANY (ARRAY['closed'::text, 'half_open'::text, 'open'::text]))),
    CONSTRAINT permits_in_use_check CHECK ((in_use >= 0)),
    CONSTRAINT permits_sending_check CHECK ((sending >= 0))
) WITH (fillfactor=50);
GRANT DELETE, INSERT, SELECT, UPDATE ON permits TO studio_ledger;

CREATE TABLE purchase_outputs (
    purchase_id uuid NOT NULL,
    index integer NOT NULL,
    source text NOT NULL,
    expires_at timestamp with time zone,
    state text NOT NULL,
    image_hash text,
    variant_id bigint,
    version_number integer,
    to_publish boolean DEFAULT false NOT NULL,
    CONSTRAINT purchase_outputs_pkey PRIMARY KEY (purchase_id, index),
    CONSTRAINT purchase_outputs_purchase_id_fkey FOREIGN KEY (purchase_id) REFERENCES purchases(purchase_id) ON DELETE CASCADE,
    CONSTRAINT purchase_outputs_state_check CHECK ((state = ANY (ARRAY['drawn'::text, 'kept'::text, 'published'::text, 'lost'::text])))
);
ALTER TABLE purchase_outputs ENABLE ROW LEVEL SECURITY;
ALTER TABLE purchase_outputs FORCE ROW LEVEL SECURITY;
CREATE POLICY ledger ON purchase_outputs FOR ALL TO studio_ledger
    USING (true);
CREATE POLICY own ON purchase_outputs FOR SELECT TO studio_user
    USING ((EXISTS ( SELECT
   FROM purchases p
  WHERE (p.purchase_id = purchase_outputs.purchase_id))));
GRANT DELETE, INSERT, SELECT, UPDATE ON purchase_outputs TO studio_ledger;
GRANT SELECT ON purchase_outputs TO studio_user;

CREATE TABLE purchases (
    purchase_id uuid NOT NULL,
    job_id bigint NOT NULL,
    user_id bigint NOT NULL,
    provider text NOT NULL,
    model_key text NOT NULL,
    ordinal integer NOT NULL,
    attempt integer NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    state text NOT NULL,
    ending text,
    owner text,
    fence bigint DEFAULT 0 NOT NULL,
    not_before timestamp with time zone,
    ticket text,
    fingerprint text NOT NULL,
    period date NOT NULL,
    reserved bigint NOT NULL,
    cost bigint DEFAULT 0 NOT NULL,
    charged text,
    sent_at timestamp with time zone,
    deadline timestamp with time zone,
    error jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    publishing boolean DEFAULT false NOT NULL,
    repeats uuid,
    restored boolean DEFAULT false NOT NULL,
    sent_back integer DEFAULT 0 NOT NULL,
    sent_back_since timestamp with time zone,
    account text DEFAULT ''::text NOT NULL,
    metered boolean DEFAULT false NOT NULL,
    unlisted_since timestamp with time zone,
    unlisted_at timestamp with time zone,
    CONSTRAINT purchases_pkey PRIMARY KEY (purchase_id),
    CONSTRAINT purchases_charged_check CHECK ((charged = ANY (ARRAY['yes'::text, 'no'::text, 'unknown'::text]))),
    CONSTRAINT purchases_cost_check CHECK ((cost >= 0)),
    CONSTRAINT purchases_ending_check CHECK ((ending = ANY (ARRAY['refused'::text, 'failed'::text, 'canceled'::text, 'expired'::text, 'unclear'::text]))),
    CONSTRAINT purchases_job_id_fkey FOREIGN KEY (job_id) REFERENCES image_jobs(job_id) ON DELETE CASCADE,
    CONSTRAINT purchases_job_id_ordinal_attempt_key UNIQUE (job_id, ordinal, attempt),
    CONSTRAINT purchases_provider_ticket_key UNIQUE (provider, ticket),
    CONSTRAINT purchases_reserved_check CHECK ((reserved >= 0)),
    CONSTRAINT purchases_state_check CHECK ((state = ANY (ARRAY['planned'::text, 'sending'::text, 'running'::text, 'drawn'::text, 'kept'::text, 'published'::text, 'ended'::text, 'unclear'::text, 'void'::text, 'lost'::text, 'quarantined'::text])))
) WITH (fillfactor=60);
CREATE INDEX purchases_never_cleared ON public.purchases USING btree (user_id, period) WHERE (charged = 'unknown'::text);
CREATE INDEX purchases_open ON public.purchases USING btree (owner, provider) WHERE (state = ANY (ARRAY['planned'::text, 'sending'::text, 'running'::text, 'drawn'::text, 'unclear'::text]));
CREATE INDEX purchases_publishing ON public.purchases USING btree (owner, not_before) WHERE publishing;
ALTER TABLE purchases ENABLE ROW LEVEL SECURITY;
ALTER TABLE purchases FORCE ROW LEVEL SECURITY;
CREATE POLICY ledger ON purchases FOR ALL TO studio_ledger
    USING (true);
CREATE POLICY own ON purchases FOR ALL TO studio_user
    USING ((user_id = ( SELECT studio_user_id() AS studio_user_id)));
GRANT DELETE, INSERT, SELECT, UPDATE ON purchases TO studio_ledger;
GRANT SELECT ON purchases TO studio_user;

CREATE TABLE restores (
    restore_id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    what text NOT NULL,
    began_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT restores_pkey PRIMARY KEY (restore_id),
    CONSTRAINT restores_what_check CHECK ((what = ANY (ARRAY['restore'::text, 'rebuild'::text])))
);
CREATE UNIQUE INDEX restores_unfinished ON public.restores USING btree ((true)) WHERE (finished_at IS NULL);
GRANT INSERT, SELECT, UPDATE ON restores TO studio_ledger;

CREATE TABLE schema_migrations (
    version integer NOT NULL,
    name text NOT NULL,
    digest text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (version)
);
GRANT SELECT ON schema_migrations TO studio_ledger;

CREATE TABLE spending (
    user_id bigint NOT NULL,
    period date NOT NULL,
    cap bigint,
    spent bigint DEFAULT 0 NOT NULL,
    reserved bigint DEFAULT 0 NOT NULL,
    CONSTRAINT spending_pkey PRIMARY KEY (user_id, period),
    CONSTRAINT spending_reserved_check CHECK ((reserved >= 0)),
    CONSTRAINT spending_spent_check CHECK ((spent >= 0)),
    CONSTRAINT spending_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(user_id)
) WITH (fillfactor=50);
ALTER TABLE spending ENABLE ROW LEVEL SECURITY;
ALTER TABLE spending FORCE ROW LEVEL SECURITY;
CREATE POLICY ledger ON spending FOR ALL TO studio_ledger
    USING (true);
CREATE POLICY own ON spending FOR ALL TO studio_user
    USING ((user_id = ( SELECT studio_user_id() AS studio_user_id)));
GRANT DELETE, INSERT, SELECT, UPDATE ON spending TO studio_ledger;
GRANT INSERT (user_id, period, cap), SELECT, UPDATE (cap) ON spending TO studio_user;

CREATE TABLE user_feed (
    user_id bigint NOT NULL,
    sequence bigint NOT NULL,
    kind text NOT NULL,
    payload bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT user_feed_pkey PRIMARY KEY (user_id, sequence),
    CONSTRAINT user_feed_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(user_id)
);
ALTER TABLE user_feed ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_feed FORCE ROW LEVEL SECURITY;
CREATE POLICY ledger ON user_feed FOR ALL TO studio_ledger
    USING (true);
CREATE POLICY own ON user_feed FOR ALL TO studio_user
    USING ((user_id = ( SELECT studio_user_id() AS studio_user_id)));
GRANT DELETE, INSERT, SELECT, UPDATE ON user_feed TO studio_ledger;
GRANT SELECT ON user_feed TO studio_user;

CREATE TABLE users (
    user_id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    subject text NOT NULL,
    feed_sequence bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT users_pkey PRIMARY KEY (user_id),
    CONSTRAINT users_subject_key UNIQUE (subject)
) WITH (fillfactor=50);
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY ledger ON users FOR ALL TO studio_ledger
    USING (true);
CREATE POLICY own ON users FOR SELECT TO studio_user
    USING ((user_id = ( SELECT studio_user_id() AS studio_user_id)));
GRANT DELETE, INSERT, SELECT, UPDATE ON users TO studio_ledger;
GRANT SELECT ON users TO studio_user;

CREATE TABLE webhook_inbox (
    webhook_id text NOT NULL,
    provider text NOT NULL,
    purchase_id uuid,
    ticket text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    fence bigint DEFAULT 0 NOT NULL,
    standing text DEFAULT 'heard'::text NOT NULL,
    CONSTRAINT webhook_inbox_pkey PRIMARY KEY (webhook_id),
    CONSTRAINT webhook_inbox_standing_check CHECK ((standing = ANY (ARRAY['heard'::text, 'stray'::text, 'unknown'::text])))
);
CREATE INDEX webhook_inbox_by_age ON public.webhook_inbox USING btree (created_at);
CREATE INDEX webhook_inbox_of_nobody ON public.webhook_inbox USING btree (provider, ticket) WHERE (standing <> 'heard'::text);
CREATE INDEX webhook_inbox_of_purchase ON public.webhook_inbox USING btree (purchase_id);
GRANT DELETE, INSERT, SELECT, UPDATE ON webhook_inbox TO studio_ledger;

CREATE TABLE workers (
    worker_id text NOT NULL,
    heartbeat_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT workers_pkey PRIMARY KEY (worker_id)
) WITH (fillfactor=50);
GRANT DELETE, INSERT, SELECT, UPDATE ON workers TO studio_ledger;
