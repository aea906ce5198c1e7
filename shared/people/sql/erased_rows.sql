-- name: open
SET VARIABLE file = $file;
CREATE OR REPLACE TEMP VIEW candidates AS FROM read_parquet(getvariable('file'));

-- name: open_outcomes
SET VARIABLE file = $file;
CREATE OR REPLACE TEMP VIEW candidates AS
SELECT * RENAME (email AS address) FROM read_parquet(getvariable('file'));

-- name: open_contacts
-- Contacts also have former addresses.
CREATE OR REPLACE TEMP VIEW candidates AS
SELECT address FROM stored_contacts
UNION ALL
SELECT unnest(former) FROM stored_contacts WHERE len(former) > 0;

-- name: count_contacts
SELECT count(*)
FROM stored_contacts, (SELECT coalesce(list(address), []) AS erased FROM erased_addresses)
WHERE list_contains(erased, address) OR list_has_any(former, erased);

-- name: write_contacts
-- A contact that has another address now loses only the former one.
SELECT
    * EXCLUDE (erased)
    REPLACE (list_filter(former, lambda one: NOT list_contains(erased, one)) AS former)
FROM stored_contacts, (SELECT coalesce(list(address), []) AS erased FROM erased_addresses)
WHERE NOT list_contains(erased, address);

-- name: count
SELECT count(*) FROM candidates WHERE address IN (SELECT address FROM erased_addresses);

-- name: customers
SELECT DISTINCT customer_id FROM candidates
WHERE address IN (SELECT address FROM erased_addresses) AND customer_id <> '';

-- name: write
FROM candidates WHERE NOT coalesce(address IN (SELECT address FROM erased_addresses), false);

-- name: write_outcomes
-- Every row keeps its outcome.
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
);
