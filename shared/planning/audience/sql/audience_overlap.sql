-- name: foreign_members
-- How many of some members of a tag are not in its segment and were not sent the tag under its former id.
WITH page AS (SELECT DISTINCT unnest($addresses::VARCHAR[]) AS address),
own AS (
    SELECT address FROM people SEMI JOIN page USING (address) WHERE (mask >> $segment::INTEGER) & 1 = 1
    UNION
    SELECT address FROM ledger SEMI JOIN page USING (address) WHERE list_contains(tags, $former_tag_id::BIGINT)
)
SELECT (SELECT count(*) FROM page) - (SELECT count(*) FROM own);

-- name: known
SELECT count(*) FROM people WHERE address IN (SELECT unnest($addresses::VARCHAR[]));

-- name: known_not_subscribed
SELECT count(*) FILTER (address IN (SELECT address FROM not_subscribed)), count(*) FROM people;

-- name: sample
-- Spread over all people, and the same in every attempt.
SELECT address FROM people WHERE address NOT IN (SELECT address FROM not_subscribed) ORDER BY hash(address) LIMIT $people::INTEGER;
