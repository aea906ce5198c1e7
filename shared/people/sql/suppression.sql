-- name: candidates_in_plan
CREATE OR REPLACE TEMP VIEW candidates AS
SELECT address FROM people
UNION ALL SELECT address FROM ledger
UNION ALL SELECT email FROM rejects;

-- name: candidates_in_former_holders
CREATE OR REPLACE TEMP VIEW candidates AS SELECT address FROM former_holders;

-- name: former_holders
DELETE FROM former_holders WHERE address IN (SELECT address FROM erased_addresses);

-- name: candidates_in_next
CREATE OR REPLACE TEMP VIEW candidates AS SELECT address FROM next;

-- name: candidates_sent
CREATE OR REPLACE TEMP VIEW candidates AS
SELECT email AS address FROM outcomes WHERE outcome IN ('created', 'updated');

-- name: candidates_in_outcomes
CREATE OR REPLACE TEMP VIEW candidates AS SELECT email AS address FROM outcomes;

-- name: rejects
-- A row of an erased person keeps an outcome (`kept`, code `erased`), once for each person, under the first
-- segment, but no address and no profile.
INSERT INTO rejects (segment, code)
SELECT list_min(list_filter(range(127), lambda i: (mask >> i::INTEGER) & 1 = 1)), 'erased'
FROM (SELECT address, mask FROM people UNION ALL SELECT address, mask FROM shared)
WHERE address IN (SELECT address FROM erased_addresses);

-- What an erased person decided still applies to their other addresses.
INSERT INTO rows_not_chosen
SELECT address, customer_id, consent FROM people WHERE address IN (SELECT address FROM erased_addresses);
DELETE FROM people WHERE address IN (SELECT address FROM erased_addresses);
DELETE FROM shared WHERE address IN (SELECT address FROM erased_addresses);
DELETE FROM ledger WHERE address IN (SELECT address FROM erased_addresses);
UPDATE rejects SET email = NULL, customer_id = NULL
WHERE email IN (SELECT address FROM erased_addresses);

-- name: erased
SELECT DISTINCT address FROM erased_addresses ORDER BY address;

-- name: any_erased
SELECT count(*) FROM erased_addresses;

-- name: next
DELETE FROM next WHERE address IN (SELECT address FROM erased_addresses);

-- name: outcomes
UPDATE outcomes SET email = NULL, customer_id = NULL, shared_with = NULL
WHERE email IN (SELECT address FROM erased_addresses);
