-- name: ids
-- Of an address that several contacts had, the contact that has it now counts.
WITH stored AS (
    SELECT address, contact_id, former
    FROM (
        SELECT * FROM read_parquet($file)
        UNION ALL BY NAME
        -- Earlier versions stored fewer columns.
        SELECT NULL::VARCHAR AS contact_id, NULL::VARCHAR[] AS former WHERE false
    )
    WHERE contact_id <> ''
),
addresses AS (
    SELECT address, contact_id, 1 AS preference FROM stored
    UNION ALL
    SELECT unnest(former), contact_id, 2 FROM stored WHERE len(former) > 0
)
SELECT address, arg_min(contact_id, (preference, contact_id))
FROM addresses
WHERE address IN (SELECT unnest($addresses::VARCHAR[]))
GROUP BY address;

-- name: other_addresses
-- The addresses that the contact with this address has or had, without those that another contact has now.
WITH stored AS (
    SELECT address, coalesce(former, []) AS former
    FROM (
        SELECT * FROM read_parquet($file)
        UNION ALL BY NAME
        -- Earlier versions stored fewer columns.
        SELECT NULL::VARCHAR[] AS former WHERE false
    )
),
contact AS (
    SELECT address, former FROM stored WHERE address = $address
    UNION ALL
    SELECT address, former FROM stored
    WHERE list_contains(former, $address) AND $address NOT IN (SELECT address FROM stored)
)
SELECT address FROM contact WHERE contains(address, '@') AND address <> $address
UNION
SELECT address FROM (SELECT unnest(former) AS address FROM contact)
WHERE address <> $address AND address NOT IN (SELECT address FROM stored);
