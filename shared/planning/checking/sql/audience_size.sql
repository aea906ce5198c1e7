-- name: planned
-- Contacts that the plan creates, and contacts that it archives.
SELECT
    count(*) FILTER (kind = 'add'),
    count(*) FILTER (coalesce(list_contains(tags_to_remove, $former_tag), false))
FROM changes;
