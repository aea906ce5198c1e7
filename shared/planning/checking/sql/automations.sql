-- name: starts
-- Whether someone is added, gets a new tag, or gets other values; and whether anyone was sent before.
SELECT
    coalesce(bool_or(c.kind = 'add'), false),
    coalesce(bool_or(c.kind = 'update' AND NOT list_has_all(coalesce(l.tags, []), t.tags)), false),
    coalesce(bool_or(c.kind = 'update'), false),
    EXISTS (SELECT 1 FROM ledger WHERE fingerprint IS NOT NULL)
FROM changes c LEFT JOIN ledger l ON l.address = c.address LEFT JOIN tagsets t ON t.tagset = c.tagset
WHERE c.kind IN ('add', 'update');
