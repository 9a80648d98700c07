-- Which account of the provider's an order went out under: what another account lists proves
-- nothing of it. Empty for what is not known.

ALTER TABLE purchases
    ADD COLUMN account TEXT NOT NULL DEFAULT '';
