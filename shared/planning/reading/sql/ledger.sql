-- name: create
-- What an export has sent to its audience, one row for each address. docs/tables.md describes the columns.
CREATE OR REPLACE TABLE ledger (
    address VARCHAR, customer_id VARCHAR, fingerprint VARCHAR, fields VARCHAR,
    merge_tags VARCHAR[], dropped VARCHAR, tags BIGINT[], refused VARCHAR, refused_code VARCHAR,
    refused_field VARCHAR, field_rules VARCHAR,
    tries INTEGER, archived_by VARCHAR, run_id VARCHAR,
    unsubscribed_by VARCHAR, created_by VARCHAR
);
CREATE OR REPLACE VIEW ledger_values AS SELECT address, fields, merge_tags FROM ledger;
FROM ledger LIMIT 0;

-- name: load
-- Another version of the app may have written the file: missing columns become NULL, unknown columns
-- are ignored.
INSERT INTO ledger BY NAME
SELECT COLUMNS(lambda c: list_contains($columns::VARCHAR[], c)) FROM read_parquet($file);

-- name: open
-- `ledger` as a view of the file, without tags that were deleted in Mailchimp: each statement reads only
-- the columns that it needs. Missing columns are NULL.
SET VARIABLE ledger_file = $file;
SET VARIABLE deleted_tags = $deleted_tags::BIGINT[];
CREATE OR REPLACE TABLE no_ledger AS FROM ledger LIMIT 0;
DROP TABLE ledger;
CREATE OR REPLACE VIEW ledger AS
SELECT
    * REPLACE (
        CASE
            WHEN len(getvariable('deleted_tags')) = 0 THEN tags
            ELSE list_filter(tags, lambda t: NOT list_contains(getvariable('deleted_tags'), t))
        END AS tags
    )
FROM (FROM no_ledger UNION ALL BY NAME FROM read_parquet(getvariable('ledger_file')));

-- name: values_in_file
-- The values are needed only for people who are sent, so they stay in the file.
SET VARIABLE ledger_file = $file;
CREATE OR REPLACE VIEW ledger_values AS
SELECT NULL::VARCHAR AS address, NULL::VARCHAR AS fields, NULL::VARCHAR[] AS merge_tags WHERE false
UNION ALL BY NAME
SELECT COLUMNS(lambda c: c IN ('address', 'fields', 'merge_tags'))
FROM read_parquet(getvariable('ledger_file'));

-- name: tags
SELECT DISTINCT unnest(tags) AS tag FROM ledger ORDER BY tag;

-- name: forget_tags
-- Deleting a tag in Mailchimp removes it from all contacts.
UPDATE ledger SET tags = list_filter(tags, lambda t: NOT list_contains($tags::BIGINT[], t))
WHERE list_has_any(tags, $tags::BIGINT[]);
