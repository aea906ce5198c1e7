-- name: find
-- The addresses of the person: the one that was chosen, or those that the profile has in this run or
-- the ledger.
CREATE OR REPLACE TABLE person AS
SELECT $address::VARCHAR AS address WHERE $address <> ''
UNION
SELECT address FROM source_rows WHERE customer_id = $customer AND address IS NOT NULL
UNION
SELECT address FROM ledger WHERE customer_id = $customer;

-- name: addresses
SELECT address FROM person ORDER BY address;

-- name: keep
CREATE OR REPLACE TABLE changes AS
FROM changes WHERE address IN (SELECT address FROM person);

CREATE OR REPLACE TABLE rejects AS
FROM rejects WHERE customer_id = $customer OR (email = $address AND $address <> '');

CREATE OR REPLACE TABLE shared AS
FROM shared WHERE address IN (SELECT address FROM person);

-- name: planned
SELECT (SELECT count(*) FROM changes) + (SELECT count(*) FROM rejects);

-- name: rows
SELECT count(*) FROM source_rows
WHERE address IN (SELECT address FROM person) OR customer_id = $customer;
