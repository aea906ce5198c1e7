-- name: create
-- Contacts to which another export of the audience has given a tag.
CREATE OR REPLACE TABLE targeted (address VARCHAR);

-- name: add_targeted
INSERT INTO targeted SELECT address FROM ledger WHERE len(tags) > 0;

-- name: find
-- `created_by`: the contact was not in the audience before. `fingerprint`: Mailchimp accepted it. The
-- status is read again before a contact is archived (sending/write.py).
CREATE OR REPLACE TABLE unused AS
SELECT address, customer_id
FROM ledger
WHERE created_by IS NOT NULL AND fingerprint IS NOT NULL AND coalesce(len(tags), 0) = 0
  AND address NOT IN (SELECT address FROM targeted)
  AND address NOT IN (SELECT address FROM not_subscribed);

-- name: count
SELECT count(*) FROM unused;

-- name: changes
-- The columns are those of every plan (docs/tables.md).
CREATE OR REPLACE TABLE changes AS
SELECT
    address, customer_id, NULL::HUGEINT AS mask, NULL::BIGINT AS tagset, NULL::BIGINT[] AS segments,
    NULL::VARCHAR AS fields, NULL::VARCHAR AS fingerprint, NULL::VARCHAR AS contact_status,
    false AS withdrawn, 'left' AS kind, 'unused' AS code, NULL::VARCHAR AS field,
    NULL::BIGINT[] AS tags, [$former_tag::BIGINT] AS tags_to_remove
FROM unused;

CREATE OR REPLACE TABLE tagsets (tagset BIGINT, mask HUGEINT, tags BIGINT[], segments BIGINT[]);
CREATE OR REPLACE TABLE rejects (
    segment UTINYINT, customer_id VARCHAR, email VARCHAR, file VARCHAR, line BIGINT, code VARCHAR
);
CREATE OR REPLACE TABLE shared (address VARCHAR, customer_id VARCHAR, mask HUGEINT);
