-- name: open
SET VARIABLE file = $file;
CREATE OR REPLACE TEMP VIEW candidates AS FROM read_parquet(getvariable('file'));

-- name: open_outcomes
SET VARIABLE file = $file;
CREATE OR REPLACE TEMP VIEW candidates AS
SELECT * RENAME (email AS address) FROM read_parquet(getvariable('file'));

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
