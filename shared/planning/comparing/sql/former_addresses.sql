-- name: mark
-- People who left under this address and are in a segment under another one.
UPDATE changes SET code = 'addressChanged'
WHERE kind = 'left' AND NOT withdrawn AND customer_id IN (
    SELECT customer_id FROM source_rows WHERE customer_id IS NOT NULL AND address IS NOT NULL
);

-- name: archive
-- Subscribed contacts that this export created, of people who are sent under another address and
-- have been before. A person with several addresses in the segments has no former one. A contact that
-- keeps a tag may still be in a segment, because a row cannot be read, or is not part of a retry. If the
-- export keeps all tags, only the rows that cannot be read show this.
CREATE OR REPLACE TABLE former AS
SELECT l.address, l.customer_id
FROM ledger l
LEFT JOIN people p ON p.address = l.address
LEFT JOIN not_subscribed n ON n.address = l.address
LEFT JOIN do_not_send d ON d.address = l.address
LEFT JOIN changes o ON o.address = l.address
LEFT JOIN protected k ON k.customer_id = l.customer_id
CROSS JOIN uncertain u
WHERE l.created_by IS NOT NULL AND l.fingerprint IS NOT NULL
  AND p.address IS NULL AND n.address IS NULL AND d.address IS NULL
  AND l.address NOT IN (SELECT address FROM shared)
  AND CASE
      WHEN $keep_tags THEN NOT list_has_any(coalesce(l.tags, []), list_concat(u.tags, coalesce(k.tags, [])))
      ELSE list_has_all(coalesce(o.tags_to_remove, []), coalesce(l.tags, []))
  END
  AND l.customer_id IN (
      SELECT c.customer_id
      FROM changes c JOIN ledger b ON b.address = c.address AND b.customer_id = c.customer_id
      WHERE c.kind IN ('update', 'unchanged') AND b.fingerprint IS NOT NULL
  );

UPDATE changes
SET tags_to_remove = list_append(coalesce(tags_to_remove, []), $former_tag::BIGINT)
WHERE address IN (SELECT address FROM former);

INSERT INTO changes BY NAME
SELECT
    address, customer_id, false AS withdrawn, 'left' AS kind, 'addressChanged' AS code,
    [$former_tag::BIGINT] AS tags_to_remove
FROM former
WHERE address NOT IN (SELECT address FROM changes);

-- name: archiving
SELECT count(*) FROM changes WHERE list_contains(tags_to_remove, $former_tag);
