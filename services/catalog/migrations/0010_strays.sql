-- Tickets at a provider that no purchase holds. What the inbox knows of a ticket is its standing:
--
-- heard    it is somebody's, or was not looked at
-- stray    nobody holds it: the provider is to be asked whether the purchase it names bought it
-- unknown  it is of no purchase of ours, or not of the one it names; shown to whoever runs this

ALTER TABLE webhook_inbox
    ADD COLUMN standing TEXT NOT NULL DEFAULT 'heard'
        CHECK (standing IN ('heard', 'stray', 'unknown'));
CREATE INDEX webhook_inbox_of_nobody ON webhook_inbox (provider, ticket)
    WHERE standing <> 'heard';

-- How far back the list of a provider was read, and when somebody began to read it last.
CREATE TABLE listings (
    provider TEXT PRIMARY KEY,
    read_to  TIMESTAMPTZ NOT NULL,
    begun_at TIMESTAMPTZ NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON listings TO studio_ledger;
