-- name: open
SET VARIABLE file = $file;
CREATE OR REPLACE TEMP VIEW candidates AS FROM read_parquet(getvariable('file'));

-- name: open_outcomes
SET VARIABLE file = $file;
CREATE OR REPLACE TEMP VIEW candidates AS
SELECT * RENAME (email AS address) FROM read_parquet(getvariable('file'));

-- name: open_statuses
-- The statuses of contacts (consent_updates/sql/sweep.sql) also have their former addresses.
SET VARIABLE file = $file;
CREATE OR REPLACE TEMP VIEW contacts AS
SELECT * FROM read_parquet(getvariable('file'))
UNION ALL BY NAME
-- Earlier versions stored fewer columns.
SELECT NULL::VARCHAR AS contact_id, NULL::VARCHAR[] AS former WHERE false;
CREATE OR REPLACE TEMP VIEW candidates AS
SELECT address FROM contacts UNION ALL SELECT unnest(former) FROM contacts WHERE len(former) > 0;

-- name: count_statuses
SELECT count(*)
FROM contacts, (SELECT coalesce(list(address), []) AS erased FROM erased_addresses)
WHERE list_contains(erased, address) OR list_has_any(former, erased);

-- name: remaining_statuses
SELECT
    count(*) FILTER (status <> 'archived'), count(*) FILTER (status = 'archived'),
    count(*) FILTER (contact_id IS NULL)
FROM contacts
WHERE address NOT IN (SELECT address FROM erased_addresses);

-- name: write_statuses_without
-- A contact that has another address now loses only the former one.
COPY (
    SELECT
        * EXCLUDE (erased)
        REPLACE (list_filter(former, lambda one: NOT list_contains(erased, one)) AS former)
    FROM contacts, (SELECT coalesce(list(address), []) AS erased FROM erased_addresses)
    WHERE NOT list_contains(erased, address)
) TO $file (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1);

-- name: count
SELECT count(*) FROM candidates WHERE address IN (SELECT address FROM erased_addresses);

-- name: customers
SELECT DISTINCT customer_id FROM candidates
WHERE address IN (SELECT address FROM erased_addresses) AND customer_id <> '';

-- name: write_without
COPY (
    FROM candidates WHERE NOT coalesce(address IN (SELECT address FROM erased_addresses), false)
) TO $file (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1);

-- name: write_blanked
-- Every row keeps its outcome.
COPY (
    SELECT
        * EXCLUDE (erased)
        REPLACE (
            if(erased, NULL, email) AS email, if(erased, NULL, customer_id) AS customer_id,
            if(erased, NULL, shared_with) AS shared_with
        )
    FROM (
        SELECT
            * RENAME (address AS email),
            coalesce(address IN (SELECT address FROM erased_addresses), false) AS erased
        FROM candidates
    )
) TO $file (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1);
