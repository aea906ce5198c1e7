-- name: changed
-- How the run changed the number of contacts by status: people that it created (out of the archive
-- or new), unsubscribed or archived. Unsubscribing and archiving concern subscribed contacts.
SELECT status, sum(number)::BIGINT
FROM (
    SELECT status, count(*) AS number FROM results
    WHERE outcome = 'created' AND coalesce(status, '') <> ''
    GROUP BY status
    UNION ALL
    SELECT 'archived', -count(*) FROM results
    WHERE outcome = 'created' AND contact_status = 'archived'
    UNION ALL
    SELECT unnest(['subscribed', 'unsubscribed']), unnest([-count(*), count(*)]) FROM removals
    WHERE removed AND tag_id = $unsubscribe_tag
    UNION ALL
    SELECT unnest([$archived_from, 'archived']), unnest([-count(*), count(*)]) FROM removals
    WHERE removed AND list_contains($archive_tags::BIGINT[], tag_id)
)
GROUP BY status;
