-- name: addresses
-- Rows with a value that is not an address, and rows with an address.
SELECT
    (SELECT count(*) FROM rejects WHERE code = 'addressMalformed'),
    (SELECT count(*) FROM source_rows WHERE address IS NOT NULL);

-- name: segments
-- Segments with many times as many people as have their tag.
WITH with_tag AS (
    SELECT tag_id, count(*) AS people FROM (SELECT unnest(tags) AS tag_id FROM ledger) GROUP BY tag_id
),
tag_of_segment AS (
    SELECT unnest(range(len($tag_ids::BIGINT[])))::INTEGER AS segment, unnest($tag_ids::BIGINT[]) AS tag_id
)
SELECT t.segment, any_value(c.people), count(*)
FROM tag_of_segment t
JOIN with_tag c USING (tag_id)
JOIN people p ON (p.mask >> t.segment) & 1 = 1
GROUP BY t.segment
HAVING count(*) > any_value(c.people) * $times::INTEGER AND count(*) > any_value(c.people) + $least::INTEGER
ORDER BY t.segment;

-- name: objections
-- People of the segments who objected to email in an earlier run, whose outcomes are in $file: those who may be sent now, and
-- those who still object. People who must not be sent for another reason are neither.
SELECT count(*) FILTER (d.address IS NULL), count(*) FILTER (d.withdrawn)
FROM people p
SEMI JOIN (
    SELECT email AS address FROM read_parquet($file) WHERE code IN ('noConsent', 'consentWithdrawn')
) USING (address)
LEFT JOIN do_not_send d ON d.address = p.address;

-- name: growth
-- People that the export has never sent and may send now, and people that it has sent before. The ledger also has people
-- who were kept, for example without consent. They are new if they may be sent now.
SELECT
    (
        SELECT count(*)
        FROM people
        ANTI JOIN (
            SELECT address FROM ledger
            WHERE fingerprint IS NOT NULL OR refused IS NOT NULL OR archived_by IS NOT NULL
        ) USING (address)
        ANTI JOIN do_not_send USING (address)
    ),
    (SELECT count(*) FROM ledger WHERE fingerprint IS NOT NULL);
