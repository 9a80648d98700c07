-- Who holds a language call, so that one whose answer was cut off finds it his own; and whether
-- it was only counted because nobody told what it cost: who tells it later is believed.

ALTER TABLE language_calls
    ADD COLUMN holder    UUID,
    ADD COLUMN forgotten BOOLEAN NOT NULL DEFAULT false;
