-- name: any
-- Whether a person withdrew consent and has a tag of the export, or is to be unsubscribed (see below).
SELECT count(*)
FROM ledger l
JOIN do_not_send d ON d.address = l.address AND d.withdrawn
LEFT JOIN not_subscribed n ON n.address = l.address
WHERE len(l.tags) > 0 OR ($unsubscribes AND l.fingerprint IS NOT NULL AND n.address IS NULL);

-- name: send_no_one
CREATE OR REPLACE TABLE failed (address VARCHAR, customer_id VARCHAR);

-- name: keep_only
UPDATE changes SET kind = 'waiting' WHERE kind = 'not_retried';

-- name: unsubscribe
-- People who withdrew consent and whose contact is subscribed. `withdrawn` and the contact's status
-- come from consent.sql and Mailchimp, so a repeated run finds no one to unsubscribe again.
CREATE OR REPLACE TABLE to_unsubscribe AS
SELECT l.address, l.customer_id
FROM ledger l
JOIN do_not_send d ON d.address = l.address AND d.withdrawn
LEFT JOIN not_subscribed n ON n.address = l.address
WHERE l.fingerprint IS NOT NULL AND n.address IS NULL;

UPDATE changes
SET tags_to_remove = list_append(coalesce(tags_to_remove, []), $unsubscribe_tag::BIGINT)
WHERE address IN (SELECT address FROM to_unsubscribe);

-- `changes` has no row for people who are in no segment and have no tag of the export any more.
INSERT INTO changes BY NAME
SELECT
    address, customer_id, true AS withdrawn, 'left' AS kind,
    [$unsubscribe_tag::BIGINT] AS tags_to_remove
FROM to_unsubscribe
WHERE address NOT IN (SELECT address FROM changes);

-- name: findings
SELECT
    count(*) FILTER (list_contains(tags_to_remove, $unsubscribe_tag)),
    count(*) FILTER (code = 'unsubscribedByExport')
FROM changes;
