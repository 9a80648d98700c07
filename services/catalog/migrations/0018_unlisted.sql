-- Since when it is known of an order whose answer was lost that its provider's list does not show
-- it, by the provider's clock, and when that was told, by ours: whoever reads the list late enough
-- after it proves that nothing was bought, also where all who knew of it have died meanwhile.

ALTER TABLE purchases
    ADD COLUMN unlisted_since TIMESTAMPTZ,
    ADD COLUMN unlisted_at    TIMESTAMPTZ;
