-- name: shares
-- For each tag, the number of people who have it, and how many would lose it because they left the
-- segment. Withdrawn consent is not a mistake in the source, so those removals never wait.
SELECT c.members, r.leavers
FROM (
    SELECT tag_id, count(*) AS members
    FROM (SELECT unnest(tags) AS tag_id FROM ledger)
    GROUP BY tag_id
) c
JOIN (
    SELECT tag_id, count(*) AS leavers
    FROM (SELECT unnest(tags_to_remove) AS tag_id FROM changes WHERE NOT withdrawn)
    GROUP BY tag_id
) r USING (tag_id);
