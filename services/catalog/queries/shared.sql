-- What queries of several files say alike.

-- fragment: failed
-- Why a picture is missing that was asked for as p.ordinal: one attempt is over without it, and
-- none may still bring it or has.
p.state IN ('ended', 'void', 'lost', 'quarantined')
  AND NOT EXISTS (SELECT FROM purchases q
                  WHERE q.job_id = p.job_id AND q.ordinal = p.ordinal
                    AND q.state NOT IN ('ended', 'void', 'lost', 'quarantined'))

-- fragment: failure
DISTINCT ON (p.job_id, p.ordinal) p.job_id, p.purchase_id, p.model_key, p.ending, p.charged,
p.error::text AS error
