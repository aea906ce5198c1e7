-- name: create
CREATE OR REPLACE TABLE excluded (address VARCHAR, customer_id VARCHAR);

-- name: add_segments
-- A row with an unusable address still excludes its person by id.
INSERT INTO excluded
SELECT DISTINCT address, customer_id FROM source_rows
WHERE address IS NOT NULL OR customer_id IS NOT NULL;

-- name: counts
-- For each segment: the number of people that it excludes, of rows that exclude no one, and of those rows that cannot be read.
WITH
by_address AS (
    SELECT number, count(*) AS people
    FROM unnest(range($segments)) s(number) JOIN people ON mask & (1::HUGEINT << number::INTEGER) <> 0
    GROUP BY number
),
by_row AS (
    SELECT
        segment AS number, count(DISTINCT customer_id) AS people, count(*) FILTER (customer_id IS NULL) AS unused,
        count(*) FILTER (starts_with(code, 'row')) AS unreadable
    FROM rejects
    GROUP BY segment
)
SELECT
    number, coalesce(a.people, 0) + coalesce(r.people, 0), coalesce(r.unused, 0), coalesce(r.unreadable, 0)
FROM unnest(range($segments)) s(number) LEFT JOIN by_address a USING (number) LEFT JOIN by_row r USING (number)
ORDER BY number;

-- name: add_list
INSERT INTO excluded SELECT unnest($addresses::VARCHAR[]), NULL;
INSERT INTO excluded SELECT NULL, unnest($customers::VARCHAR[]);

-- name: do_not_send
-- Every address of an excluded person in this run or the ledger, and every excluded address.
CREATE OR REPLACE TABLE excluded_addresses AS
WITH
customers AS (
    SELECT customer_id FROM excluded WHERE customer_id IS NOT NULL
    UNION
    SELECT r.customer_id FROM source_rows r JOIN excluded e ON e.address = r.address
    WHERE r.customer_id IS NOT NULL
    UNION
    SELECT l.customer_id FROM ledger l JOIN excluded e ON e.address = l.address
    WHERE l.customer_id IS NOT NULL
)
SELECT p.address FROM people p JOIN excluded e ON e.address = p.address
UNION
SELECT l.address FROM ledger l JOIN excluded e ON e.address = l.address
UNION
SELECT r.address FROM source_rows r JOIN customers USING (customer_id) WHERE r.address IS NOT NULL
UNION
SELECT l.address FROM ledger l JOIN customers USING (customer_id);

-- An excluded person keeps a reason of consent, because it also says what the person decided. If the person decided with
-- another address, the contact of this address is still subscribed. Then the reason becomes `excluded`, so that the contact
-- also loses tags that others gave it, and an undo gives it none back.
DELETE FROM do_not_send
WHERE address IN (SELECT address FROM excluded_addresses) AND NOT withdrawn
  AND address NOT IN (SELECT address FROM not_subscribed)
  AND code <> 'addressChangedInMailchimp';

INSERT INTO do_not_send BY NAME
SELECT address, 'excluded' AS code, false AS withdrawn
FROM excluded_addresses
WHERE address NOT IN (SELECT address FROM do_not_send);

-- name: any_excluded
SELECT count(*) FROM excluded_addresses;

-- name: remove_tags
-- These removals count for the removal guard: an exclusion segment may come back too large.
UPDATE changes
SET
    tags_to_remove = CASE WHEN len(l.tags) > 0 THEN l.tags END,
    code = CASE WHEN kind = 'left' THEN 'excluded' ELSE code END
FROM ledger l
WHERE l.address = changes.address AND NOT withdrawn
  AND changes.address IN (SELECT address FROM excluded_addresses);

INSERT INTO changes BY NAME
SELECT
    address, customer_id, false AS withdrawn, 'left' AS kind, 'excluded' AS code,
    tags AS tags_to_remove
FROM ledger
WHERE len(tags) > 0
  AND address IN (SELECT address FROM excluded_addresses)
  AND address NOT IN (SELECT address FROM changes);

-- name: people
SELECT count(*) FROM changes WHERE code = 'excluded';
