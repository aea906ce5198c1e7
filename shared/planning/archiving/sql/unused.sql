-- name: create
-- The contacts in the ledgers of an audience: those that an export targets, and those that it created.
CREATE OR REPLACE TABLE audience_contacts (
    export VARCHAR, address VARCHAR, customer_id VARCHAR, targeted BOOLEAN
);

-- name: add
-- `created_by`: the contact was not in the audience before. `fingerprint`: Mailchimp accepted it.
INSERT INTO audience_contacts
SELECT $export, address, customer_id, coalesce(len(tags), 0) > 0 AS targeted
FROM ledger
WHERE targeted OR (created_by IS NOT NULL AND fingerprint IS NOT NULL);

-- name: find
-- The status is read again before a contact is archived (sending/contact_changes.py).
CREATE OR REPLACE TABLE unused AS
SELECT export, address, customer_id
FROM audience_contacts
WHERE NOT targeted
  AND address NOT IN (SELECT address FROM audience_contacts WHERE targeted)
  AND address NOT IN (SELECT address FROM not_subscribed);

-- name: counts
SELECT export, count(*) FROM unused GROUP BY export;

-- name: changes
-- The columns are those of every plan (docs/tables.md).
CREATE OR REPLACE TABLE changes AS
SELECT
    address, customer_id, NULL::HUGEINT AS mask, NULL::BIGINT AS tagset, NULL::BIGINT[] AS segments,
    NULL::VARCHAR AS fields, NULL::VARCHAR AS fingerprint, NULL::VARCHAR AS contact_status,
    false AS withdrawn, 'left' AS kind, 'unused' AS code, NULL::VARCHAR AS field,
    NULL::BIGINT[] AS tags, [$former_tag::BIGINT] AS tags_to_remove
FROM unused
WHERE export = $export;
CREATE OR REPLACE VIEW stored_changes AS FROM changes;

CREATE OR REPLACE TABLE tagsets (tagset BIGINT, mask HUGEINT, tags BIGINT[], segments BIGINT[]);
CREATE OR REPLACE TABLE rejects (
    segment UTINYINT, customer_id VARCHAR, email VARCHAR, file VARCHAR, line BIGINT, code VARCHAR
);
CREATE OR REPLACE TABLE shared (address VARCHAR, customer_id VARCHAR, mask HUGEINT);
