-- What may have been charged and brought nothing: ordered again, and settled by a person.

ALTER TABLE purchases ADD COLUMN repeats UUID; -- the one whose order this one gives again

CREATE TABLE charge_settlements (
    purchase_id UUID PRIMARY KEY REFERENCES purchases ON DELETE CASCADE,
    user_id BIGINT NOT NULL REFERENCES users,
    charged TEXT NOT NULL CHECK (charged IN ('yes', 'no')),
    cost BIGINT NOT NULL CHECK (cost >= 0),
    counted BIGINT NOT NULL CHECK (counted >= 0), -- as spent until then
    settled_by BIGINT NOT NULL REFERENCES users (user_id),
    settled_at TIMESTAMPTZ NOT NULL
);
ALTER TABLE charge_settlements ENABLE ROW LEVEL SECURITY;
ALTER TABLE charge_settlements FORCE ROW LEVEL SECURITY;
CREATE POLICY ledger ON charge_settlements TO studio_ledger USING (true);
CREATE POLICY own ON charge_settlements TO studio_user
    USING (user_id = (SELECT studio_user_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON charge_settlements TO studio_ledger;
GRANT SELECT ON charge_settlements TO studio_user;
