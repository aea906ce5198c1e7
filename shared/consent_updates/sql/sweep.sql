-- name: create
-- The statuses in Mailchimp, one row for each contact. `since` is when the contact got the status, in ISO 8601.
CREATE OR REPLACE TABLE decisions (
    address VARCHAR, status VARCHAR, since VARCHAR, reason VARCHAR, campaign VARCHAR,
    generation INTEGER
);

-- name: load
INSERT INTO decisions BY NAME
SELECT address, status, since, reason, campaign, generation FROM read_parquet($file);

-- name: changes
-- A contact that was read twice, as active and as archived, gets the later status.
CREATE OR REPLACE TABLE changes AS
SELECT address, status, changed, opted_in, reason, '' AS campaign
FROM (
    SELECT
        unnest($addresses::VARCHAR[]) AS address, unnest($statuses::VARCHAR[]) AS status,
        unnest($changed::VARCHAR[]) AS changed, unnest($opted_in::VARCHAR[]) AS opted_in,
        unnest($reasons::VARCHAR[]) AS reason
)
QUALIFY row_number() OVER (PARTITION BY address ORDER BY changed DESC, status) = 1;

-- name: candidates
CREATE OR REPLACE TEMP VIEW candidates AS
SELECT address FROM changes UNION SELECT address FROM decisions;

-- name: erased
SELECT count(*) FROM decisions WHERE address IN (SELECT address FROM erased_addresses);

-- name: delete_erased
DELETE FROM changes WHERE address IN (SELECT address FROM erased_addresses);
DELETE FROM decisions WHERE address IN (SELECT address FROM erased_addresses);

-- name: count
-- Changes of values and tags are listed too; only a new status or reason counts.
SELECT count(*)
FROM changes c LEFT JOIN decisions d USING (address)
WHERE d.status IS DISTINCT FROM c.status OR d.reason IS DISTINCT FROM c.reason;

-- name: unsubscribed
-- People who unsubscribed since the last sweep, the newest first.
SELECT c.address
FROM changes c JOIN decisions d USING (address)
WHERE c.status = 'unsubscribed' AND d.status <> 'unsubscribed'
  AND c.reason NOT IN ('unsubscribedByAdmin', 'complianceReview')
ORDER BY c.changed DESC, c.address
LIMIT $most;

-- name: campaign
UPDATE changes SET campaign = $campaign WHERE address = $address;

-- name: merge
-- A new contact that is subscribed has had this status since the opt-in.
CREATE OR REPLACE TABLE merged AS
SELECT
    address,
    coalesce(c.status, d.status) AS status,
    CASE
        WHEN c.status IS NULL OR c.status = d.status THEN d.since
        WHEN c.status = 'subscribed' AND d.status IS NULL AND c.opted_in <> '' THEN c.opted_in
        ELSE c.changed
    END AS since,
    coalesce(c.reason, d.reason) AS reason,
    CASE WHEN c.status IS NULL OR c.status = d.status THEN d.campaign ELSE c.campaign END
        AS campaign,
    CASE WHEN c.status IS NULL THEN d.generation ELSE $generation END::INTEGER AS generation
FROM decisions d FULL JOIN changes c USING (address);
DROP TABLE decisions;

-- name: drop_missing
-- All contacts were read again; the others are no longer in the audience.
DELETE FROM merged WHERE generation <> $generation;

-- name: save
COPY (FROM merged ORDER BY address) TO $file (FORMAT parquet, COMPRESSION zstd);

-- name: sizes
SELECT count(*) FILTER (status <> 'archived'), count(*) FILTER (status = 'archived') FROM merged;
