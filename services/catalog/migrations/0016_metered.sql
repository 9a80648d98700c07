-- Whether what an order cost is what its provider counted, and not our price list's. False for
-- what is not known, as of all that was written before.

ALTER TABLE purchases
    ADD COLUMN metered BOOLEAN NOT NULL DEFAULT false;
