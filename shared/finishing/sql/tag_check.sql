-- name: prepare
-- All people with a tag. Mailchimp counts only subscribers, so `counted` is false for all others. The status after a
-- call is newer than the one of the plan.
CREATE OR REPLACE VIEW tagged AS
WITH not_counted AS (
    SELECT c.address
    FROM changes_with_outcome c LEFT JOIN outcome_ranges o ON o.first_line = c.outcome_id
    WHERE CASE WHEN o.status <> '' THEN o.status <> 'subscribed' ELSE c.contact_status IS NOT NULL END
)
SELECT n.address, n.tags, c.address IS NULL AS counted
FROM next n LEFT JOIN not_counted c ON c.address = n.address
WHERE len(n.tags) > 0;

-- name: expected
SELECT tag_id, count(*) FROM (SELECT unnest(tags) AS tag_id FROM tagged WHERE counted) GROUP BY tag_id;

-- name: create_tag_members
-- All contacts that have a tag in Mailchimp, in any status.
CREATE OR REPLACE TABLE tag_members (address VARCHAR, status VARCHAR, contact_id VARCHAR);
CREATE OR REPLACE TABLE changed_members (former VARCHAR, address VARCHAR);
CREATE OR REPLACE TABLE moved_members (address VARCHAR);

-- name: add_tag_members
INSERT INTO tag_members
SELECT unnest($addresses::VARCHAR[]), unnest($statuses::VARCHAR[]), unnest($contact_ids::VARCHAR[]);

-- name: add_changed_members
-- Subscribers with the tag who changed the address in Mailchimp. The ledger has them under the former one.
INSERT INTO changed_members
SELECT i.address, m.address
FROM (SELECT unnest($addresses::VARCHAR[]) AS address, unnest($contact_ids::VARCHAR[]) AS contact_id) i
JOIN tag_members m ON m.contact_id = i.contact_id AND m.address <> i.address
WHERE m.status = 'subscribed';

-- name: should_have_lost
-- People from whom the run removed the tag. Their contacts may still have it under an address that was changed in Mailchimp.
SELECT address FROM removals
WHERE tag_id = $tag_id AND removed AND address NOT IN (SELECT address FROM tag_members)
LIMIT $most;

-- name: add_moved_members
INSERT INTO moved_members SELECT address FROM tag_members WHERE contact_id IN (SELECT unnest($contact_ids::VARCHAR[]));

-- name: subscribers
SELECT count(*) FROM tag_members WHERE status = 'subscribed';

-- name: unsubscribed_leavers
-- People who left the segments and keep the tag: their status is known only from this list.
SELECT count(*) FROM tagged t JOIN tag_members m ON m.address = t.address
WHERE t.counted AND list_contains(t.tags, $tag_id) AND m.status <> 'subscribed'
  AND t.address NOT IN (SELECT address FROM changes);

-- name: find_differences
-- `without_tag`: people who have the tag in the ledger but not in Mailchimp. Only those whom the run sends to should have it
-- (`missing_members`). The others left the segment or must not be sent. The ledger still has their tag because people who
-- leave keep it, or because its removal waits for a confirmation.
-- `extra_members`: contacts that have the tag in Mailchimp but should not. Members of the segment may have a tag that others
-- gave them, unless they withdrew consent or are excluded.
-- After an undo, only people to whom it gave the tag should have it, and only those from whom it took the tag should not: what
-- others changed since the undone run stays.
CREATE OR REPLACE TABLE without_tag AS
SELECT
    address,
    address IN (
        SELECT address FROM changes
        WHERE kind NOT IN ('left', 'kept')
          AND CASE WHEN $undo THEN list_contains(tags, $tag_id) ELSE list_contains(segments, $segment) END
    ) AS should_have
FROM tagged
WHERE counted AND list_contains(tags, $tag_id) AND address NOT IN (SELECT address FROM tag_members)
  AND address NOT IN (SELECT former FROM changed_members);

CREATE OR REPLACE TABLE missing_members AS SELECT address FROM without_tag WHERE should_have ORDER BY address;

CREATE OR REPLACE TABLE extra_members AS
SELECT DISTINCT address FROM tag_members
WHERE address NOT IN (SELECT address FROM tagged WHERE list_contains(tags, $tag_id))
  AND address NOT IN (SELECT address FROM changed_members)
  AND address NOT IN (
      SELECT address FROM changes WHERE kind <> 'left' AND NOT withdrawn
          AND code IS DISTINCT FROM 'excluded' AND list_contains(segments, $segment)
  )
  AND (
      NOT $undo
      OR address IN (SELECT address FROM removals WHERE tag_id = $tag_id)
      OR address IN (FROM moved_members)
  )
ORDER BY address;

-- name: tagged_by_others
SELECT count(*) FROM tag_members
WHERE status = 'subscribed' AND address NOT IN (SELECT address FROM tagged WHERE list_contains(tags, $tag_id))
  AND address NOT IN (FROM extra_members) AND address NOT IN (SELECT address FROM changed_members);

-- name: without_tag
SELECT count(*) FROM without_tag;

-- name: without_tag_addresses
SELECT address FROM without_tag;

-- name: lost
SELECT count(*) FROM without_tag WHERE NOT should_have;

-- name: missing
SELECT count(*) FROM missing_members;

-- name: extra
SELECT count(*) FROM extra_members;

-- name: missing_part
SELECT address FROM missing_members WHERE rowid >= $first AND rowid < $first + $most ORDER BY rowid;

-- name: extra_part
SELECT address FROM extra_members WHERE rowid >= $first AND rowid < $first + $most ORDER BY rowid;

-- name: forget_lost
UPDATE next SET tags = list_filter(tags, lambda t: t <> $tag_id)
WHERE address IN (SELECT address FROM without_tag WHERE NOT should_have);

-- name: forget_missing
UPDATE next
SET fingerprint = NULL, fields = NULL, merge_tags = NULL,
    tags = list_filter(tags, lambda t: t <> $tag_id)
WHERE address IN (FROM missing_members);
