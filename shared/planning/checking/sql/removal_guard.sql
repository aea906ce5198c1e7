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

-- name: contacts
-- Contacts to unsubscribe, and contacts with a former address to archive.
SELECT
    count(*) FILTER (list_contains(tags_to_remove, $unsubscribe_tag)),
    count(*) FILTER (list_contains(tags_to_remove, $former_tag))
FROM changes;

-- name: subscribers
-- The subscribers that the export has sent.
SELECT count(*) FROM ledger ANTI JOIN not_subscribed USING (address) WHERE fingerprint IS NOT NULL;
