-- name: create
CREATE OR REPLACE TABLE manual_edits (address VARCHAR, others BOOLEAN, edited BOOLEAN);

-- name: own_tags
SELECT DISTINCT unnest(tags) AS tag FROM ledger;

-- name: sent
SELECT l.address, fields_to_send(l.fields, l.merge_tags, b.fields, b.merge_tags)
FROM ledger l LEFT JOIN before b ON b.address = l.address
WHERE l.fields IS NOT NULL
  AND l.merge_tags = $merge_tags::VARCHAR[]
  AND l.address IN (SELECT unnest($addresses::VARCHAR[]));

-- name: add
INSERT INTO manual_edits
SELECT unnest($addresses::VARCHAR[]), unnest($others::BOOLEAN[]), unnest($edited::BOOLEAN[]);
