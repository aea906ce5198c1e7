-- name: shares
-- For each tag, the people who carry it and those of them who would lose it because they left.
-- Withdrawn consent is no mistake of the source: those removals are never held back.
SELECT c.carrying, r.losing
FROM (
    SELECT tag_id, count(*) AS carrying
    FROM (SELECT unnest(tags) AS tag_id FROM ledger)
    GROUP BY tag_id
) c
JOIN (
    SELECT tag_id, count(*) AS losing
    FROM (SELECT unnest(tags_to_remove) AS tag_id FROM changes WHERE NOT withdrawn)
    GROUP BY tag_id
) r USING (tag_id);
