-- name: write
-- A person has a row for each segment they are in, and one for each that they left. `sharedWith` is
-- the CustomerId of the profile that was chosen where several have the same address. The rows are in no
-- order: sorting takes longer than writing them.
CREATE OR REPLACE TABLE planned_tags AS
SELECT
    unnest(range(len($segments::VARCHAR[]))) AS number,
    unnest($segments::VARCHAR[]) AS segment,
    unnest($tag_ids::BIGINT[]) AS tag_id;

COPY (
    SELECT
        o.customer_id AS CustomerId, t.segment, o.outcome, coalesce(o.code, '') AS reason, $at AS at,
        coalesce(o.shared_with, '') AS sharedWith
    FROM (
        SELECT customer_id, outcome, code, shared_with, unnest(segments) AS number
        FROM outcomes
        WHERE customer_id IS NOT NULL
    ) o
    JOIN planned_tags t USING (number)
    UNION ALL
    SELECT
        o.customer_id, t.segment, if(r.removed, 'removed', 'notSent'),
        coalesce(r.code, if(o.code = 'consentWithdrawn', o.code, NULL), ''), $at, ''
    FROM removals r
    JOIN planned_tags t ON t.tag_id = r.tag_id
    JOIN outcomes o ON o.email = r.address
    WHERE o.customer_id IS NOT NULL AND o.shared_with IS NULL AND o.file IS NULL
) TO $file (FORMAT csv, HEADER true, FORCE_QUOTE *);

-- name: remove_profiles
UPDATE cdm_rows SET sharedWith = '' WHERE list_contains($customers::VARCHAR[], sharedWith);
DELETE FROM cdm_rows WHERE list_contains($customers::VARCHAR[], CustomerId);
