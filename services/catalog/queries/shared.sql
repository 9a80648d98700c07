-- What queries of several files say alike.

-- fragment: failed
-- Why a picture is missing that was asked for as p.ordinal: one attempt is over without it, or
-- brought fewer than were ordered, and none may still bring all or has.
(p.state IN ('ended', 'void', 'lost', 'quarantined')
 OR p.state IN ('kept', 'published') AND p.error ? 'short')
  AND NOT EXISTS (SELECT FROM purchases q
                  WHERE q.job_id = p.job_id AND q.ordinal = p.ordinal
                    AND q.state NOT IN ('ended', 'void', 'lost', 'quarantined')
                    AND (q.state IN ('kept', 'published') AND q.error ? 'short') IS NOT TRUE)

-- fragment: failure
DISTINCT ON (p.job_id, p.ordinal) p.job_id, p.purchase_id, p.model_key, p.ending, p.charged,
p.cost, p.metered, p.error::text AS error

-- fragment: at_risk
-- Nobody knows whether p was charged. Its cost counts as spent, or its reservation is held.
(p.charged = 'unknown' OR p.state = 'unclear')

-- fragment: refuses
-- A provider of permits takes no order of ours just now, whatever it is.
breaker = 'open' AND refusal IS NOT NULL AND retry_at > clock_timestamp()

-- fragment: settlement
s.purchase_id, s.user_id, s.charged, s.cost, s.counted, s.settled_by, s.settled_at

-- fragment: path
-- Where the gateway has the picture of v for ever; cdn_url is the CDN's once that has it.
(SELECT '/i/' || f.link FROM image_files f
 WHERE f.user_id = v.user_id AND f.image_hash = v.image_hash) AS path

-- fragment: metered
-- Whether v's cost is what its provider counted.
(SELECT p.metered FROM purchases p WHERE p.purchase_id = v.purchase_id) AS metered

-- fragment: image
v.job_id, v.variant_id, v.purchase_id, v.output_index, v.version_number, v.model_key, v.cdn_url,
v.thumbnail_url, v.image_hash, v.media_type, v.bytes, v.width, v.height, v.thumbhash, v.seed,
v.cost, v.generation_time_ms, v.published_at,
/*metered*/,
/*path*/
