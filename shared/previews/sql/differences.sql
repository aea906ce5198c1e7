-- name: before
SELECT l.address, l.fields, l.merge_tags, l.tags
FROM read_parquet($ledger) l SEMI JOIN changes c ON c.address = l.address
    AND (c.kind IN ('add', 'update') OR c.tags_to_remove IS NOT NULL);

-- name: no_before
SELECT NULL::VARCHAR AS address, NULL::VARCHAR AS fields, NULL::VARCHAR[] AS merge_tags,
    NULL::BIGINT[] AS tags
LIMIT 0;

-- name: rows
-- The people to send come first, in the order of the file of lines (planning/writing/sql/chunking.sql). The
-- values that were sent last are in the order of the present mapping.
SELECT
    CASE WHEN kind IN ('add', 'update') THEN kind ELSE 'left' END,
    c.customer_id, c.address, c.segments,
    CASE
        WHEN b.fields IS NOT NULL
            THEN to_json(list_transform(
                $merge_tags::VARCHAR[],
                lambda name: from_json(b.fields, '["VARCHAR"]')[list_position(b.merge_tags, name)]
            ))::VARCHAR
    END,
    b.tags, c.tags_to_remove
FROM read_parquet($changes) c LEFT JOIN read_parquet($before) b ON b.address = c.address
WHERE kind IN ('add', 'update') OR tags_to_remove IS NOT NULL
ORDER BY kind NOT IN ('add', 'update'), kind, c.address;
