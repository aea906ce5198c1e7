-- name: people
-- Numbers of people for the findings in findings.py.
SELECT
    count(*) FILTER (code = 'consentWithdrawn' OR (kind = 'left' AND withdrawn)),
    (SELECT count(*) FROM changes c JOIN ledger l USING (address)
     WHERE c.code = 'archived' AND l.archived_by IS NOT NULL),
    count(*) FILTER (contact_status = 'transactional' AND kind IN ('update', 'unchanged')),
    -- Not those whose former contact this run archives.
    (SELECT count(*) FROM changes
     WHERE kind = 'left'
         AND NOT coalesce(list_contains(tags_to_remove, $former_tag), false)
         AND customer_id IN (
             SELECT customer_id FROM source_rows
             WHERE customer_id IS NOT NULL AND address IS NOT NULL
         )),
    count(*) FILTER (kind = 'add')
FROM changes;

-- name: segments_with_rows
-- The segments with people (bit i: segment i), and those with rows that cannot be sent.
SELECT
    (SELECT coalesce(bit_or(mask), 0) FROM people),
    (SELECT coalesce(list(DISTINCT segment), []) FROM rejects);

-- name: different_rows
-- People of the plan who have rows with different values in one segment.
SELECT count(*) FROM changes SEMI JOIN different_rows USING (address);

-- name: kept_tags
-- People who keep the tag of a segment only because an unreadable row may be theirs.
WITH unreadable_rows AS (
    SELECT t.tag_id, any_value(t.segment) AS segment, count(*) AS unreadable
    FROM rejects r JOIN segment_tags t USING (segment)
    WHERE starts_with(r.code, 'row')
    GROUP BY t.tag_id
)
SELECT u.segment, u.unreadable, count(*)
FROM unreadable_rows u
JOIN ledger l ON list_contains(l.tags, u.tag_id)
LEFT JOIN people p ON p.address = l.address
LEFT JOIN tagsets s ON s.mask = p.mask
WHERE NOT coalesce(list_contains(s.tags, u.tag_id), false)
GROUP BY ALL
ORDER BY ALL;
