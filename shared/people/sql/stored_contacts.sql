-- name: ids
SELECT address, contact_id
FROM (
    SELECT * FROM read_parquet($file)
    UNION ALL BY NAME
    -- Earlier versions stored fewer columns.
    SELECT NULL::VARCHAR AS contact_id WHERE false
)
WHERE address IN (SELECT unnest($addresses::VARCHAR[])) AND contact_id <> '';
