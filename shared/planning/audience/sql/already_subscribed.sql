-- name: new_people
SELECT count(*) FROM changes WHERE kind = 'add';

-- name: create
CREATE OR REPLACE TABLE already_subscribed (address VARCHAR);

-- name: add
INSERT INTO already_subscribed SELECT unnest($addresses::VARCHAR[]);

-- name: apply
UPDATE changes SET kind = 'update'
WHERE kind = 'add' AND address IN (SELECT address FROM already_subscribed);

-- name: addresses
SELECT address FROM changes WHERE kind = 'add' ORDER BY address;
