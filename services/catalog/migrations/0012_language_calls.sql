-- What a language call was for, who answered, whether it was charged, and what is kept of its
-- answer: an enhanced prompt, so that the same request never pays for it twice.

ALTER TABLE language_calls
    ADD COLUMN purpose TEXT NOT NULL DEFAULT '',
    ADD COLUMN model   TEXT NOT NULL DEFAULT '',
    ADD COLUMN charged TEXT CHECK (charged IN ('yes', 'no', 'unknown')),
    ADD COLUMN answer  TEXT NOT NULL DEFAULT '';

-- Those that were never settled, for the sweeper; a user's in a time, for usage.
CREATE INDEX language_calls_open ON language_calls (created_at) WHERE settled_at IS NULL;
CREATE INDEX language_calls_of_user ON language_calls (user_id, created_at);

-- What a language model made of a job's prompt before anything of it was planned, and which one.
ALTER TABLE image_jobs
    ADD COLUMN enhanced_prompt TEXT NOT NULL DEFAULT '',
    ADD COLUMN enhanced_by     TEXT NOT NULL DEFAULT '';
