-- name: contacts
-- The contacts of the run, with the tags that they lost; then rows with an unusable address, and
-- profiles whose address went to another profile.
SELECT
    o.email, o.customer_id, o.outcome, o.code, o.field,
    o.shared_with IS NULL AND o.file IS NULL AS is_contact,
    CASE
        WHEN is_contact
            THEN (SELECT list(tag_id ORDER BY tag_id) FROM removals r
                  WHERE r.address = o.email AND r.removed)
    END
FROM outcomes o
WHERE o.email IS NOT NULL
ORDER BY NOT is_contact, o.email, o.customer_id
LIMIT $most;
