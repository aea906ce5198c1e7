-- name: order
-- Chunks point at lines by number, so both tables keep their order. finishing/sql/gather.sql numbers
-- the rows of `changes` in the same order again.
SET preserve_insertion_order = true;
CREATE OR REPLACE TABLE send_lines AS
SELECT
    c.address, c.kind, c.tagset,
    CASE
        WHEN c.kind = 'add' THEN c.fields
        -- An undo restores only the tags.
        WHEN c.fields IS NULL
            THEN to_json(list_transform($merge_tags::VARCHAR[], lambda _: NULL::VARCHAR))::VARCHAR
        ELSE fields_to_send(c.fields, $merge_tags::VARCHAR[], l.fields, l.merge_tags)
    END AS fields
FROM changes c LEFT JOIN ledger_values l ON l.address = c.address
WHERE c.kind IN ('add', 'update')
ORDER BY c.kind, c.address;

CREATE OR REPLACE TABLE removal_lines AS
SELECT withdrawn, unnest(tags_to_remove) AS tag_id, address
FROM changes
WHERE tags_to_remove IS NOT NULL
ORDER BY NOT withdrawn, tag_id, address;

-- name: write_lines
COPY (SELECT '[' || to_json(address)::VARCHAR || ',' || tagset || ',' || fields || ']' FROM send_lines)
TO $lines (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER E'\x01');
COPY (SELECT to_json(address)::VARCHAR FROM removal_lines)
TO $removals (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER E'\x01');

-- name: changes
FROM stored_changes;

-- name: other_rows
SELECT 'rejected' AS what, [segment::BIGINT] AS segments, customer_id, email, file, line, code
FROM rejects
UNION ALL
SELECT 'shared', t.segments, s.customer_id, s.address, NULL, NULL, NULL
FROM shared s JOIN tagsets t USING (mask);

-- name: send_groups
SELECT kind, count(*) FROM send_lines GROUP BY kind ORDER BY kind;

-- name: removal_groups
SELECT withdrawn, tag_id, count(*) FROM removal_lines
GROUP BY withdrawn, tag_id
ORDER BY NOT withdrawn, tag_id;
