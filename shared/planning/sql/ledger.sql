-- name: create
-- What an export has sent to its audience, one row an address. docs/tables.md describes the columns.
CREATE OR REPLACE TABLE ledger (
    address VARCHAR, customer_id VARCHAR, fingerprint VARCHAR, fields VARCHAR,
    merge_tags VARCHAR[], dropped VARCHAR, tags BIGINT[], refused VARCHAR, refused_code VARCHAR,
    tries INTEGER, archived_by VARCHAR, run_id VARCHAR,
    unsubscribed_by VARCHAR, created_by VARCHAR
);
SELECT column_name FROM duckdb_columns() WHERE table_name = 'ledger';

-- name: load
-- Another version of the app may have written the file: missing columns become NULL, unknown columns
-- are ignored.
INSERT INTO ledger BY NAME
SELECT COLUMNS(lambda c: list_contains($columns::VARCHAR[], c)) FROM read_parquet($file);

-- name: tags
SELECT DISTINCT unnest(tags) AS tag FROM ledger ORDER BY tag;

-- name: forget_tags
-- Deleting a tag in Mailchimp removes it from all contacts.
UPDATE ledger SET tags = list_filter(tags, lambda t: NOT list_contains($tags::BIGINT[], t))
WHERE list_has_any(tags, $tags::BIGINT[]);
