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
