-- A webhook is joined with its purchase. fence is the purchase's when it came: the claim of that
-- fence, which tells the owner all earlier ones, cannot have told of it. No body is ever used.

ALTER TABLE webhook_inbox DROP COLUMN body, ADD COLUMN fence BIGINT NOT NULL DEFAULT 0;
CREATE INDEX webhook_inbox_of_purchase ON webhook_inbox (purchase_id);
CREATE INDEX webhook_inbox_by_age ON webhook_inbox (created_at);
