-- The ledger's statements. A batch of edges locks its jobs first, then reads their purchases:
-- whatever changes a purchase holds the lock of its job.
--
-- Plans are made once, and in a new database all indexes look alike: a row that is found by its own
-- number says `(user_id = …) IS TRUE` of its owner, else all of his rows might be read for it.

-- fragment: job
job_id, user_id, title, project, use_case, preset_used, state, original_prompt, enhanced_prompt,
       enhanced_by, spec::text AS spec, request_id, fingerprint, last_sequence, last_version,
       open_purchases, publishing, complete_by, cost, retry_of, created_at, updated_at, ended_at,
       (SELECT subject FROM users u WHERE u.user_id = image_jobs.user_id) AS subject
-- name: lock_jobs_of_purchases
SELECT /*job*/
FROM image_jobs
WHERE job_id = ANY (ARRAY(SELECT job_id FROM purchases WHERE purchase_id = ANY ($1::uuid[])))
ORDER BY job_id
FOR UPDATE;

-- name: lock_job_of_user
SELECT /*job*/
FROM image_jobs
WHERE job_id = $1 AND (user_id = $2) IS TRUE
FOR UPDATE;

-- What a batch reads unlocked of permits holds until it commits: see hold_limits. What is in a
-- ROW is in the order of its class in rows.py.
-- name: purchases_by_id
SELECT p.purchase_id, p.job_id, p.user_id, p.provider, p.model_key, p.ordinal, p.attempt, p.tries,
       p.state, p.ending, p.owner, p.fence, p.not_before, p.ticket, p.fingerprint, p.period,
       p.reserved, p.cost, p.charged, p.sent_at, p.deadline, p.error::text AS error, p.publishing,
       p.repeats, p.restored, p.sent_back, p.sent_back_since, p.account, p.metered,
       p.unlisted_since, p.unlisted_at,
       CASE WHEN p.publishing OR p.state IN ('drawn', 'kept', 'published', 'lost')
            THEN ARRAY(SELECT ROW(o.index, o.source, o.expires_at, o.state, o.image_hash,
                                  o.variant_id, o.version_number, o.to_publish)
                       FROM purchase_outputs o
                       WHERE o.purchase_id = p.purchase_id ORDER BY o.index) END AS outputs,
       CASE WHEN p.state IN ('sending', 'unclear')
            THEN ARRAY(SELECT ROW(w.ticket, w.fence) FROM webhook_inbox w
                       WHERE w.purchase_id = p.purchase_id ORDER BY w.created_at) END AS webhooks,
       (SELECT count(*) FROM purchases q
        WHERE q.job_id = p.job_id AND q.purchase_id <> ALL ($1::uuid[])
          AND (q.state IN ('ended', 'void', 'lost', 'quarantined')
               OR q.state IN ('kept', 'published') AND q.error ? 'short')) AS others_failed,
       m.max_in_flight, m.max_per_minute, m.lookup_possible, m.lookup_lag, m.watched,
       m.lookup_in_receipts,
       clock_timestamp() AS now
FROM purchases p LEFT JOIN permits m USING (provider)
WHERE p.purchase_id = ANY ($1::uuid[]);

-- name: planned_purchases_of_job
SELECT purchase_id FROM purchases WHERE job_id = $1 AND state = 'planned' ORDER BY ordinal;

-- name: attempts_of_ordinals
SELECT job_id, ordinal, attempt, model_key
FROM purchases
WHERE job_id = ANY ($1::bigint[])
ORDER BY job_id, ordinal, attempt;

-- Of purchases that were looked up: which of these tickets others hold, and which equal orders
-- may have bought something without a ticket, and which of these are still wanted. One snapshot:
-- who gets one in between is in either.
-- name: orders_alike
SELECT p.purchase_id,
       ARRAY(SELECT q.ticket FROM purchases q
             WHERE q.provider = p.provider AND q.ticket = ANY ($2::text[])
               AND q.purchase_id <> p.purchase_id) AS held,
       ARRAY(SELECT q.purchase_id FROM purchases q
             WHERE q.state IN ('sending', 'unclear') AND q.provider = p.provider
               AND q.fingerprint = p.fingerprint AND q.purchase_id <> p.purchase_id) AS rivals,
       ARRAY(SELECT q.purchase_id FROM purchases q JOIN image_jobs j USING (job_id)
             WHERE q.state IN ('sending', 'unclear') AND q.provider = p.provider
               AND q.fingerprint = p.fingerprint AND q.purchase_id <> p.purchase_id
               AND j.state <> 'canceling') AS wanted
FROM purchases p
WHERE p.purchase_id = ANY ($1::uuid[]);

-- name: lock_permits
SELECT provider, in_use, sending, orders_left, renewed_at,
       breaker AS state, recent, heard_at, retry_at, probe, openings, refusal,
       CASE WHEN max_per_minute = 0 THEN 0
            ELSE least(max_per_minute, tokens + max_per_minute / 60.0
                       * extract(epoch FROM clock_timestamp() - refilled_at)) END AS tokens
FROM permits
WHERE provider = ANY ($1::text[])
ORDER BY provider
FOR UPDATE;

-- name: insert_purchases
INSERT INTO purchases (purchase_id, job_id, user_id, provider, model_key, ordinal, attempt, state,
                       fingerprint, period, reserved, ticket, charged, sent_at, deadline, fence,
                       tries)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::integer[],
                     $7::integer[], $8::text[], $9::text[], $10::date[], $11::bigint[],
                     $12::text[], $13::text[], $14::timestamptz[], $15::timestamptz[],
                     $16::bigint[], $17::integer[]);

-- name: insert_variants
WITH asked AS (
    SELECT * FROM unnest(
        $1::bigint[], $2::bigint[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::text[], $11::text[], $12::integer[], $13::integer[],
        $14::bigint[], $15::integer[], $16::bigint[], $17::text[], $18::text[], $19::uuid[],
        $20::integer[], $21::text[], $22::bigint[], $23::boolean[], $24::bigint[])
         AS asked (job_id, user_id, version_number, model_key, model_version, original_prompt,
                   enhanced_prompt, enhanced_by, negative_prompt, parameters, link, width, height,
                   seed, generation_time_ms, cost, replicate_prediction_id, image_hash,
                   purchase_id, output_index, media_type, bytes, readable, variant_id)
), files AS (
    INSERT INTO image_files (user_id, image_hash, link, media_type, bytes, width, height, readable)
    SELECT user_id, image_hash, link, media_type, bytes, width, height, readable FROM asked
    ORDER BY user_id, image_hash
    ON CONFLICT (user_id, image_hash) DO NOTHING
)
INSERT INTO image_variants (job_id, user_id, version_number, model_key, model_version,
    original_prompt, enhanced_prompt, enhanced_by, negative_prompt, parameters, cdn_url,
    thumbnail_url, width, height, seed, generation_time_ms, cost, replicate_prediction_id,
    image_hash, purchase_id, output_index, media_type, bytes, variant_id)
OVERRIDING SYSTEM VALUE
SELECT job_id, user_id, version_number, model_key, model_version, original_prompt,
       enhanced_prompt, enhanced_by, negative_prompt, parameters::jsonb, '/i/' || link,
       '/i/' || link || '/thumbnail', width, height, seed, generation_time_ms, cost,
       replicate_prediction_id, image_hash, purchase_id, output_index, media_type, bytes,
       coalesce(variant_id, nextval('image_variants_variant_id_seq'))
FROM asked
RETURNING variant_id, purchase_id, output_index;

-- All that a batch leaves behind. A row that changed without its job's lock is not moved: the
-- answer's count of moved rows is then too low, and the transaction is given up.
-- An event's time is that of its writing: the transaction may have begun before the one did that
-- wrote the event before it, and have waited for the job's lock.
-- name: move_purchases_if_state_and_fence
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS at
), moved AS (
    UPDATE purchases p
    SET state = asked.state, ending = asked.ending, owner = asked.owner, fence = asked.fence,
        tries = asked.tries, not_before = asked.not_before, ticket = asked.ticket,
        reserved = asked.reserved, cost = asked.cost, charged = asked.charged,
        sent_at = asked.sent_at, deadline = asked.deadline, error = asked.error::jsonb,
        publishing = asked.publishing, sent_back = asked.sent_back,
        sent_back_since = asked.sent_back_since, account = asked.account,
        metered = asked.metered, unlisted_since = asked.unlisted_since,
        unlisted_at = asked.unlisted_at
    FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[],
                $7::bigint[], $8::integer[], $9::timestamptz[], $10::text[], $11::bigint[],
                $12::bigint[], $13::text[], $14::timestamptz[], $15::timestamptz[], $16::text[],
                $17::boolean[], $18::integer[], $19::timestamptz[], $20::text[], $21::boolean[],
                $22::timestamptz[], $23::timestamptz[])
         AS asked (purchase_id, from_state, from_fence, state, ending, owner, fence, tries,
                   not_before, ticket, reserved, cost, charged, sent_at, deadline, error,
                   publishing, sent_back, sent_back_since, account, metered, unlisted_since,
                   unlisted_at)
    WHERE p.purchase_id = asked.purchase_id
      AND p.state = asked.from_state
      AND p.fence = asked.from_fence
    RETURNING p.purchase_id
), outputs AS (
    INSERT INTO purchase_outputs
        (purchase_id, index, source, expires_at, state, image_hash, variant_id, version_number,
         to_publish)
    SELECT * FROM unnest($24::uuid[], $25::integer[], $26::text[], $27::timestamptz[],
                         $28::text[], $29::text[], $30::bigint[], $31::integer[], $32::boolean[])
    ON CONFLICT (purchase_id, index) DO UPDATE
    SET state = excluded.state, image_hash = excluded.image_hash,
        variant_id = excluded.variant_id, version_number = excluded.version_number,
        to_publish = excluded.to_publish
), freed AS (
    UPDATE permits m
    SET in_use = greatest(0, m.in_use + asked.delta),
        sending = greatest(0, m.sending + asked.sent),
        tokens = asked.tokens, refilled_at = clock_timestamp()
    FROM unnest($33::text[], $34::integer[], $35::double precision[], $36::integer[])
         AS asked (provider, delta, tokens, sent)
    WHERE m.provider = asked.provider
), logged AS (
    INSERT INTO job_events (job_id, sequence, kind, payload, created_at)
    SELECT asked.*, clock.at
    FROM clock, unnest($37::bigint[], $38::bigint[], $39::text[], $40::bytea[]) AS asked
), jobs AS (
    UPDATE image_jobs j
    SET state = asked.state, last_sequence = asked.last_sequence, last_version = asked.last_version,
        open_purchases = asked.open_purchases, cost = asked.cost, updated_at = clock.at,
        ended_at = CASE WHEN asked.ended THEN coalesce(j.ended_at, clock.at) END,
        publishing = asked.publishing, complete_by = asked.complete_by
    FROM clock,
         unnest($41::bigint[], $42::text[], $43::bigint[], $44::integer[], $45::integer[],
                $46::bigint[], $47::boolean[], $48::integer[], $49::timestamptz[])
         AS asked (job_id, state, last_sequence, last_version, open_purchases, cost, ended,
                   publishing, complete_by)
    WHERE j.job_id = asked.job_id
)
SELECT at, (SELECT count(*) FROM moved) AS moved FROM clock;

-- name: set_health
UPDATE permits
SET orders_left = $2, renewed_at = $3, breaker = $4, recent = $5, heard_at = $6, retry_at = $7,
    probe = $8, openings = $9, refusal = $10
WHERE provider = $1;

-- Of the watched: one whose breaker is closed is told, too.
-- name: health_of_providers
SELECT provider, breaker, refusal FROM permits WHERE watched ORDER BY provider;

-- Those of some that take no order of ours just now.
-- name: refusing_providers
SELECT provider, refusal, extract(epoch FROM retry_at - clock_timestamp()) AS seconds
FROM permits
WHERE provider = ANY ($1::text[]) AND /*refuses*/
ORDER BY provider;

-- name: publish_variants
UPDATE image_variants v
SET cdn_url = asked.cdn_url, thumbnail_url = asked.thumbnail_url, published_at = $5
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[])
     AS asked (user_id, variant_id, cdn_url, thumbnail_url)
WHERE v.user_id = asked.user_id AND v.variant_id = asked.variant_id;

-- Users are locked in order, and not against those who only refer to them.
-- name: append_to_feed
WITH locked AS MATERIALIZED (
    SELECT user_id FROM users WHERE user_id = ANY ($1::bigint[])
    ORDER BY user_id
    FOR NO KEY UPDATE
), asked AS (
    SELECT * FROM unnest($2::bigint[], $3::integer[], $4::text[], $5::bytea[])
         AS asked (user_id, number, kind, payload)
), counted AS (
    UPDATE users u SET feed_sequence = u.feed_sequence + more.count
    FROM (SELECT user_id, count(*) FROM asked JOIN locked USING (user_id) GROUP BY user_id) AS more
    WHERE u.user_id = more.user_id
    RETURNING u.user_id, u.feed_sequence - more.count AS before
)
INSERT INTO user_feed (user_id, sequence, kind, payload, created_at)
SELECT asked.user_id, counted.before + asked.number, asked.kind, asked.payload,
       clock_timestamp()
FROM asked JOIN counted USING (user_id);

-- name: lock_spending
SELECT FROM spending s
JOIN unnest($1::bigint[], $2::date[]) AS asked (user_id, period) USING (user_id, period)
ORDER BY user_id, period
FOR UPDATE OF s;

-- name: begin_spending
INSERT INTO spending (user_id, period, cap)
SELECT user_id, period,
       (SELECT cap FROM spending s WHERE s.user_id = asked.user_id ORDER BY period DESC LIMIT 1)
FROM unnest($1::bigint[], $2::date[]) AS asked (user_id, period)
ORDER BY user_id, period
ON CONFLICT (user_id, period) DO NOTHING;

-- name: move_money
UPDATE spending s
SET spent = s.spent + asked.spent, reserved = s.reserved + asked.reserved
FROM unnest($1::bigint[], $2::date[], $3::bigint[], $4::bigint[])
     AS asked (user_id, period, spent, reserved)
WHERE s.user_id = asked.user_id AND s.period = asked.period;

-- name: ensure_spending
INSERT INTO spending (user_id, period, cap)
SELECT $1, date_trunc('month', now() AT TIME ZONE 'utc')::date,
       (SELECT cap FROM spending WHERE user_id = $1 ORDER BY period DESC LIMIT 1)
ON CONFLICT (user_id, period) DO NOTHING;

-- Jobs of one statement, each with its place in it. All that it reserves for a user fits under his
-- caps, or none of his jobs that reserve something is admitted: they are asked for alone then.
-- Months are locked in the order in which batches of edges lock them. With $32 a month that another
-- transaction holds is left out: what its user reserves fits under no cap then.
-- name: admit_within_caps
WITH asked AS MATERIALIZED (
    SELECT *
    FROM unnest($1::integer[], $2::bigint[], $3::uuid[], $4::bigint[], $5::text[], $6::text[],
                $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                $13::text[], $14::bigint[], $15::integer[], $16::integer[])
         AS asked (place, user_id, request_id, reserved, title, project, use_case, preset_used,
                   original_prompt, enhanced_prompt, enhanced_by, spec, fingerprint, retry_of,
                   events, bought)
    WHERE bought > 0 AND place NOT IN (
        SELECT needed.place
        FROM unnest($17::integer[], $18::text[]) AS needed (place, provider)
        JOIN permits USING (provider)
        WHERE /*refuses*/)
), due AS (
    SELECT user_id, date_trunc('month', now() AT TIME ZONE 'utc')::date AS period,
           sum(reserved)::bigint AS reserved
    FROM asked
    WHERE reserved > 0
    GROUP BY user_id
), waited_for AS MATERIALIZED (
    SELECT user_id, period, due.reserved FROM spending JOIN due USING (user_id, period)
    WHERE NOT $32::boolean
    ORDER BY user_id
    FOR UPDATE OF spending
), free AS MATERIALIZED (
    SELECT user_id, period, due.reserved FROM spending JOIN due USING (user_id, period)
    WHERE $32::boolean
    ORDER BY user_id
    FOR UPDATE OF spending SKIP LOCKED
), locked AS (
    SELECT * FROM waited_for UNION ALL SELECT * FROM free
), money AS (
    UPDATE spending s
    SET reserved = s.reserved + locked.reserved
    FROM locked
    WHERE s.user_id = locked.user_id AND s.period = locked.period
      AND ($19::bigint IS NULL OR s.spent + s.reserved + locked.reserved <= $19)
      AND (s.cap IS NULL OR s.spent + s.reserved + locked.reserved <= s.cap)
    RETURNING s.user_id, s.period
), admitted AS MATERIALIZED (
    SELECT asked.*,
           coalesce(money.period, date_trunc('month', now() AT TIME ZONE 'utc')::date) AS period
    FROM asked LEFT JOIN money USING (user_id)
    WHERE asked.reserved = 0 OR money.period IS NOT NULL
), jobs AS (
    INSERT INTO image_jobs (user_id, title, project, use_case, preset_used, state, original_prompt,
                            enhanced_prompt, enhanced_by, spec, request_id, fingerprint,
                            last_sequence, open_purchases, retry_of)
    SELECT user_id, title, project, use_case, preset_used, 'queued', original_prompt,
           enhanced_prompt, enhanced_by, spec::jsonb, request_id, fingerprint, events, bought,
           (SELECT lost.job_id FROM image_jobs lost
            WHERE lost.job_id = admitted.retry_of
              AND (lost.user_id = admitted.user_id) IS TRUE)
    FROM admitted
    ORDER BY place
    RETURNING user_id, request_id, job_id, created_at
), placed AS MATERIALIZED (
    SELECT place, user_id, period, job_id, created_at
    FROM jobs JOIN admitted USING (user_id, request_id)
), bought AS (
    INSERT INTO purchases (purchase_id, job_id, user_id, provider, model_key, ordinal, attempt,
                           state, fingerprint, period, reserved, repeats)
    SELECT asked.purchase_id, placed.job_id, placed.user_id, asked.provider, asked.model_key,
           asked.ordinal, 1, 'planned', asked.fingerprint, placed.period, asked.reserved,
           asked.repeats
    FROM placed
    JOIN unnest($20::integer[], $21::uuid[], $22::text[], $23::text[], $24::integer[], $25::text[],
                $26::bigint[], $27::uuid[])
         AS asked (place, purchase_id, provider, model_key, ordinal, fingerprint, reserved, repeats)
         USING (place)
), logged AS (
    INSERT INTO job_events (job_id, sequence, kind, payload)
    SELECT placed.job_id, asked.sequence, asked.kind, asked.payload
    FROM placed
    JOIN unnest($28::integer[], $29::bigint[], $30::text[], $31::bytea[])
         AS asked (place, sequence, kind, payload) USING (place)
)
SELECT place, job_id, created_at FROM placed;

-- name: spending_of_user
SELECT cap, spent, reserved,
       (period + interval '1 month') AT TIME ZONE 'utc' AS ends,
       extract(epoch FROM (period + interval '1 month') AT TIME ZONE 'utc' - now()) AS seconds_left
FROM spending
WHERE user_id = $1 AND period = date_trunc('month', now() AT TIME ZONE 'utc')::date;

-- name: job_by_request
SELECT job_id, fingerprint FROM image_jobs WHERE user_id = $1 AND request_id = $2::uuid;

-- name: first_event
SELECT payload FROM job_events WHERE job_id = $1 AND sequence = 1;

-- name: log_position
SELECT last_sequence, state FROM image_jobs
WHERE job_id = $1 AND (user_id = $2) IS TRUE;

-- name: log_positions
SELECT job_id, last_sequence FROM image_jobs WHERE job_id = ANY ($1::bigint[]);

-- name: events_after
SELECT sequence, payload, created_at FROM job_events
WHERE job_id = $1 AND sequence > $2
ORDER BY sequence
LIMIT $3;

-- name: beat
UPDATE workers SET heartbeat_at = clock_timestamp() WHERE worker_id = $1 RETURNING worker_id;

-- name: begin_worker
INSERT INTO workers (worker_id, heartbeat_at) VALUES ($1, clock_timestamp())
ON CONFLICT (worker_id) DO NOTHING;

-- name: end_worker
DELETE FROM workers WHERE worker_id = $1;

-- Limits change alone: every batch holds a share of this lock from its first word on, so none
-- counts its permits by limits of before, unseen by set_limits.
-- name: hold_limits
SELECT pg_advisory_xact_lock($1);

-- A provider without limits or a watch is not counted; what is under way is when its first comes.
-- A new start may have other credentials: who took none of ours is tried again at once.
-- name: set_limits
INSERT INTO permits (provider, in_use, sending, max_in_flight, max_per_minute, tokens,
                     lookup_possible, lookup_lag, watched, lookup_in_receipts)
SELECT provider, CASE WHEN in_flight > 0 OR per_minute > 0 OR watched THEN
           (SELECT count(*) FROM purchases p
            WHERE p.provider = asked.provider AND p.state IN ('sending', 'running')) ELSE 0 END,
       (SELECT count(*) FROM purchases p
        WHERE p.provider = asked.provider AND p.state = 'sending'),
       in_flight, per_minute, per_minute, possible, lag, watched, in_receipts
FROM unnest($1::text[], $2::integer[], $3::integer[], $4::boolean[], $5::interval[], $6::boolean[],
            $7::boolean[])
     AS asked (provider, in_flight, per_minute, possible, lag, watched, in_receipts)
ORDER BY provider
ON CONFLICT (provider) DO UPDATE
SET in_use = CASE WHEN permits.max_in_flight = 0 AND permits.max_per_minute = 0
                       AND NOT permits.watched
                  THEN excluded.in_use ELSE permits.in_use END,
    sending = excluded.sending,
    max_in_flight = excluded.max_in_flight, max_per_minute = excluded.max_per_minute,
    lookup_possible = excluded.lookup_possible, lookup_lag = excluded.lookup_lag,
    watched = excluded.watched, lookup_in_receipts = excluded.lookup_in_receipts,
    retry_at = CASE WHEN permits.breaker = 'open' AND permits.refusal IS NOT NULL
                    THEN clock_timestamp() ELSE permits.retry_at END
WHERE (permits.max_in_flight, permits.max_per_minute, permits.lookup_possible, permits.lookup_lag,
       permits.watched, permits.lookup_in_receipts, permits.sending,
       permits.breaker = 'open' AND permits.refusal IS NOT NULL)
   IS DISTINCT FROM (excluded.max_in_flight, excluded.max_per_minute, excluded.lookup_possible,
                     excluded.lookup_lag, excluded.watched, excluded.lookup_in_receipts,
                     excluded.sending, false);

-- name: canceling_purchases
SELECT p.purchase_id
FROM purchases p JOIN image_jobs j USING (job_id)
WHERE p.owner = $1 AND p.state IN ('planned', 'sending', 'running', 'drawn', 'unclear')
  AND j.state = 'canceling';

-- name: purchases_of_worker
SELECT purchase_id, fence
FROM purchases
WHERE owner = $1
  AND (state IN ('planned', 'sending', 'running', 'drawn', 'unclear') OR publishing);

-- It is written to the log, whose disk a heartbeat's commit waits for as well, and asked by one of
-- the connections that heartbeats go by.
-- name: look_at_the_clock
SELECT clock_timestamp() FROM pg_logical_emit_message(true, 'sweep', '');

-- Nobody waits for a worker whose row is held: that is a heartbeat of its own, under way.
-- name: bury_silent_workers
DELETE FROM workers WHERE worker_id IN
  (SELECT worker_id FROM workers WHERE heartbeat_at < $1 FOR UPDATE SKIP LOCKED);

-- Where the clock was set back, the last word of the dead would lie in the future until it is over.
-- name: cap_heartbeats
UPDATE workers SET heartbeat_at = clock_timestamp() WHERE worker_id IN
  (SELECT worker_id FROM workers WHERE heartbeat_at > clock_timestamp() FOR UPDATE SKIP LOCKED);

-- Tells in how many seconds the next one is dead, if he says nothing until then.
-- name: next_death
SELECT extract(epoch FROM min(heartbeat_at) + $1::interval - clock_timestamp())::float8
FROM workers
WHERE heartbeat_at >= clock_timestamp() - $1::interval;

-- name: orphaned_purchases
SELECT p.purchase_id, p.fence, p.provider, p.state, p.owner,
       count(*) OVER (PARTITION BY p.owner) AS together
FROM purchases p
WHERE (p.state IN ('planned', 'sending', 'running', 'drawn', 'unclear') OR p.publishing)
  AND p.owner IS NOT NULL
  AND NOT EXISTS (SELECT FROM workers w WHERE w.worker_id = p.owner)
ORDER BY p.purchase_id
LIMIT 10000;

-- None that would only be told to wait by its provider's breaker, or by what that allows. `turn`
-- differs when such a wait is over, so that what was said before is said once more.
-- name: due_purchases
SELECT due.purchase_id, CASE WHEN due.state = 'drawn' THEN 'any' ELSE due.provider END AS provider,
       due.fence, at.turn, due.state = 'planned' AND at.on_trial AS on_trial
FROM (SELECT provider, coalesce(m.breaker = 'closed' AND m.openings > 0, false) AS on_trial,
             coalesce(
                 (m.breaker = 'half_open' OR (m.breaker = 'open' AND m.refusal IS NULL))
                 AND m.retry_at > clock_timestamp()
                 OR m.breaker = 'closed' AND m.openings > 0
                 AND m.sending >= $3 + length(replace(m.recent, '-', ''))
                 OR m.orders_left <= 0 AND m.renewed_at > clock_timestamp(), false) AS waits,
             coalesce(extract(epoch FROM greatest(
                 m.retry_at, CASE WHEN m.orders_left <= 0 THEN m.renewed_at END)), 0)::bigint AS turn
      FROM (SELECT DISTINCT provider FROM purchases
            WHERE owner IS NULL
              AND state IN ('planned', 'sending', 'running', 'drawn', 'unclear')) AS open
      LEFT JOIN permits m USING (provider)) AS at,
LATERAL (
    SELECT p.purchase_id, p.provider, p.fence, p.state
    FROM purchases p
    WHERE p.owner IS NULL AND p.provider = at.provider
      AND p.state IN ('planned', 'sending', 'running', 'drawn', 'unclear')
      AND (p.not_before IS NULL OR p.not_before <= clock_timestamp())
      AND (p.state <> 'planned'
           OR (p.created_at < clock_timestamp() - $1::interval AND NOT at.waits))
    ORDER BY p.state = 'planned', p.purchase_id
    LIMIT $2
) AS due;

-- name: due_publications
SELECT purchase_id, 'any' AS provider, fence, 0::bigint AS turn, false AS on_trial
FROM purchases
WHERE publishing AND owner IS NULL AND not_before <= clock_timestamp()
ORDER BY not_before
LIMIT $1;

-- Any purchase of the job stands for it.
-- name: jobs_that_waited
SELECT late.job_id, any_of_it.purchase_id
FROM (SELECT job_id FROM image_jobs
      WHERE ended_at IS NULL AND open_purchases = 0 AND complete_by <= clock_timestamp()
      ORDER BY complete_by
      LIMIT 500) AS late,
LATERAL (SELECT purchase_id FROM purchases p WHERE p.job_id = late.job_id LIMIT 1) AS any_of_it;

-- name: next_planned
SELECT purchase_id, provider, fence
FROM purchases
WHERE owner IS NULL AND provider = $1 AND state = 'planned'
  AND (not_before IS NULL OR not_before <= clock_timestamp())
ORDER BY purchase_id
LIMIT $2;

-- The next of those that wait for a provider on trial, as long as it may have one more: as
-- permits._has_room sees it.
-- name: next_on_trial
SELECT purchase_id, fence
FROM purchases p JOIN permits m USING (provider)
WHERE p.owner IS NULL AND provider = $1 AND p.state = 'planned' AND p.purchase_id > $2
  AND (p.not_before IS NULL OR p.not_before <= clock_timestamp())
  AND m.breaker = 'closed' AND m.openings > 0
  AND m.sending < $3 + length(replace(m.recent, '-', ''))
  AND CASE WHEN m.renewed_at > clock_timestamp() THEN m.orders_left > 0
           ELSE m.sending < $3 OR (m.renewed_at IS NULL AND m.recent LIKE '%+%') END
  AND (m.max_in_flight = 0 OR m.in_use < m.max_in_flight)
  AND (m.max_per_minute = 0
       OR m.tokens + m.max_per_minute / 60.0 * extract(epoch FROM clock_timestamp() - m.refilled_at)
          >= 1)
ORDER BY purchase_id
LIMIT 1;

-- name: images_of_jobs
SELECT /*image*/
FROM image_variants v
WHERE v.job_id = ANY ($1::bigint[])
ORDER BY v.job_id, v.version_number;

-- name: images_of_purchases
SELECT /*image*/
FROM image_variants v
WHERE v.purchase_id = ANY ($1::uuid[]);

-- name: failures_of_jobs
SELECT /*failure*/
FROM purchases p
WHERE p.job_id = ANY ($1::bigint[]) AND /*failed*/
ORDER BY p.job_id, p.ordinal, p.attempt DESC;

-- name: job_whole
SELECT /*job*/
FROM image_jobs
WHERE job_id = ANY ($1::bigint[]) AND user_id = ANY ($2::bigint[]);

-- name: record_file
INSERT INTO image_files (user_id, image_hash, link, media_type, bytes, width, height, readable)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (user_id, image_hash) DO NOTHING
RETURNING created_at;

-- name: file_created_at
SELECT created_at FROM image_files WHERE user_id = $1 AND image_hash = $2;

-- name: forget_file_if_unused
DELETE FROM image_files f
WHERE f.user_id = $1 AND f.image_hash = $2
  AND NOT EXISTS (SELECT FROM image_variants v
                  WHERE v.user_id = f.user_id AND v.image_hash = f.image_hash)
  AND NOT EXISTS (SELECT FROM image_jobs j
                  WHERE j.user_id = f.user_id AND j.state IN ('queued', 'running', 'canceling')
                    AND j.spec @> $3::jsonb)
RETURNING f.image_hash;

-- name: clock
SELECT clock_timestamp();

-- name: mark_canceling
UPDATE image_jobs SET state = 'canceling', updated_at = now()
WHERE job_id = $1 AND state IN ('queued', 'running');

-- name: hold_sweep
SELECT pg_try_advisory_lock(7003700370037003);
