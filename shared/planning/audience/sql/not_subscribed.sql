-- name: create
-- `contact_id` stays the same when the address changes; NULL in lists of earlier versions.
CREATE OR REPLACE TABLE not_subscribed (address VARCHAR PRIMARY KEY, status VARCHAR, contact_id VARCHAR);

-- name: load
INSERT INTO not_subscribed BY NAME
SELECT address, status, contact_id
FROM (FROM read_parquet($file) UNION ALL BY NAME SELECT NULL::VARCHAR AS contact_id WHERE false);

-- name: add
INSERT OR REPLACE INTO not_subscribed
SELECT unnest($addresses::VARCHAR[]), unnest($statuses::VARCHAR[]), unnest($contact_ids::VARCHAR[]);

-- name: count
SELECT count(*) FROM not_subscribed WHERE status = $status;

-- name: counts
SELECT status, count(*) FROM not_subscribed GROUP BY status;

-- name: delete
DELETE FROM not_subscribed WHERE status = $status;

-- name: save
FROM not_subscribed;

-- name: international
SELECT address FROM not_subscribed WHERE strlen(address) <> length(address);

-- name: use_mail_form
-- Both forms may be in the audience.
INSERT OR IGNORE INTO not_subscribed SELECT $mail, status, contact_id FROM not_subscribed WHERE address = $address;
DELETE FROM not_subscribed WHERE address = $address AND address <> $mail;
