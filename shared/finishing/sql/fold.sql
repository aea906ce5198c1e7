-- name: next
-- The ledger after this run, always computed from the ledger that the plan was made with, so folding
-- the same outcomes twice gives the same result. It is a view of a file, because a table would need most of
-- the memory: the rows of people in `touched` are computed, those of all others stay as they are in `ledger`.
CREATE OR REPLACE TABLE touched AS
SELECT address FROM changes
WHERE kind IN ('add', 'update') AND (SELECT count(*) FROM ledger) > 0
UNION
SELECT address FROM removals
UNION
-- People who are kept are stored as well, because a decision for one address applies to the person.
SELECT address FROM changes ANTI JOIN ledger USING (address)
WHERE kind = 'kept' AND customer_id IS NOT NULL
UNION
SELECT c.address FROM changes c JOIN ledger l USING (address)
WHERE l.customer_id IS NULL AND c.customer_id IS NOT NULL;

COPY (
WITH
lost AS (
    SELECT address, list(tag_id) AS tags, bool_or(tag_id IN ($archive_tag, $former_tag)) AS archived,
        bool_or(tag_id = $unsubscribe_tag) AS unsubscribed
    FROM removals
    WHERE removed
    GROUP BY address
),
absent AS (SELECT DISTINCT address FROM removals WHERE code = 'notInAudience'),
-- A former contact that others have tagged is theirs now. Otherwise every run would read it again.
taken AS (SELECT DISTINCT address FROM removals WHERE code = 'taggedByOthers')
SELECT * EXCLUDE (sent, created, refused_now, passing, dropped_now, forget)
FROM (SELECT
    -- What a result means for the ledger: accepted, refused (permanently, or for a few runs if it may be
    -- temporary), or absent (the person is not in the audience, so has none of our tags).
    coalesce(o.outcome IN ('created', 'updated'), false) AS sent,
    coalesce(o.outcome = 'created', false) AS created,
    coalesce(
        o.outcome = 'rejected'
            AND list_contains(list_concat($until_row_changes, $a_few_runs)::VARCHAR[], o.code),
        false
    ) AS refused_now,
    coalesce(o.outcome = 'rejected' AND list_contains($a_few_runs::VARCHAR[], o.code), false) AS passing,
    CASE WHEN o.code = 'valueDropped' THEN o.field END AS dropped_now,
    coalesce(o.outcome = 'rejected' AND o.code IN ('forgotten', 'notInAudience'), false)
        OR coalesce(r.archived, false) OR a.address IS NOT NULL AS forget,
    c.address,
    CASE WHEN sent THEN c.customer_id ELSE coalesce(l.customer_id, c.customer_id) END AS customer_id,
    CASE WHEN sent THEN c.fingerprint WHEN forget THEN NULL ELSE l.fingerprint END AS fingerprint,
    CASE
        WHEN forget THEN NULL
        WHEN NOT sent THEN l.fields
        WHEN dropped_now IS NULL THEN c.fields
        -- When a value was not sent, Mailchimp still has the earlier one.
        ELSE to_json(list_transform(
            from_json(c.fields, '["VARCHAR"]'),
            lambda value, position: CASE
                WHEN list_contains(
                    string_split(dropped_now, ' '), split_part(($merge_tags::VARCHAR[])[position], '.', 1)
                )
                    THEN from_json(l.fields, '["VARCHAR"]')[
                        list_position(l.merge_tags, ($merge_tags::VARCHAR[])[position])
                    ]
                ELSE value
            END
        ))::VARCHAR
    END AS fields,
    CASE WHEN sent THEN $merge_tags::VARCHAR[] WHEN forget THEN NULL ELSE l.merge_tags END
        AS merge_tags,
    CASE WHEN sent THEN dropped_now WHEN forget THEN NULL ELSE l.dropped END AS dropped,
    list_sort(list_filter(
        CASE
            WHEN sent THEN list_distinct(list_concat(coalesce(l.tags, []), c.tags))
            WHEN forget THEN []
            ELSE coalesce(l.tags, [])
        END,
        lambda t: NOT list_contains(coalesce(r.tags, []), t)
    )) AS tags,
    CASE WHEN sent THEN NULL WHEN refused_now THEN c.fingerprint ELSE l.refused END AS refused,
    CASE WHEN sent THEN NULL WHEN refused_now THEN o.code ELSE l.refused_code END AS refused_code,
    CASE WHEN sent THEN NULL WHEN refused_now THEN nullif(o.field, '') ELSE l.refused_field END
        AS refused_field,
    CASE
        WHEN passing
            THEN CASE WHEN l.refused = c.fingerprint THEN coalesce(l.tries, 0) ELSE 0 END + 1
        WHEN sent OR refused_now THEN 0
        ELSE coalesce(l.tries, 0)
    END AS tries,
    CASE WHEN sent THEN NULL WHEN r.archived THEN $run ELSE l.archived_by END AS archived_by,
    CASE
        WHEN sent OR refused_now OR r.tags IS NOT NULL OR l.address IS NULL THEN $run
        ELSE l.run_id
    END AS run_id,
    CASE WHEN sent THEN NULL WHEN r.unsubscribed THEN $run ELSE l.unsubscribed_by END
        AS unsubscribed_by,
    CASE
        WHEN forget OR t.address IS NOT NULL THEN NULL
        WHEN created THEN $run
        ELSE l.created_by
    END AS created_by
FROM (
    FROM changes_with_outcome
    WHERE kind IN ('add', 'update') OR address IN (SELECT address FROM touched)
) c
LEFT JOIN (FROM ledger SEMI JOIN touched USING (address)) l USING (address)
LEFT JOIN lost r USING (address)
LEFT JOIN absent a USING (address)
LEFT JOIN taken t USING (address)
LEFT JOIN outcome_ranges o ON o.first_line = c.outcome_id
WHERE l.address IS NOT NULL OR sent OR refused_now
   OR (c.kind = 'kept' AND c.customer_id IS NOT NULL))
UNION ALL BY NAME
SELECT
    address, customer_id, fingerprint, fields, merge_tags, dropped, tags, refused, refused_code,
    refused_field, tries,
    archived_by, run_id, unsubscribed_by, created_by
FROM ledger ANTI JOIN touched USING (address)
-- Sorted addresses would make the file 15 % smaller, but sorting a million rows takes ten seconds. The reason
-- for small row groups is in planning/sql/chunking.sql.
) TO $file
(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 20480);
SET VARIABLE next_file = $file;
CREATE OR REPLACE VIEW next AS FROM read_parquet(getvariable('next_file'));

-- name: changes_nothing
-- Whether `next` would be equal to `ledger`: nothing was to be sent or removed, no one who is kept is
-- new in the ledger, and no profile id became known.
WITH kept AS (
    SELECT address FROM changes WHERE kind = 'kept' AND customer_id IS NOT NULL
)
SELECT
    NOT EXISTS (SELECT 1 FROM changes WHERE kind IN ('add', 'update'))
    AND NOT EXISTS (SELECT 1 FROM removals)
    AND (SELECT count(*) FROM kept)
        = (SELECT count(*) FROM ledger WHERE address IN (SELECT address FROM kept))
    AND NOT EXISTS (
        SELECT 1 FROM changes
        WHERE customer_id IS NOT NULL
          AND address IN (SELECT address FROM ledger WHERE customer_id IS NULL)
    );

-- name: keep
CREATE OR REPLACE VIEW next AS FROM ledger;

-- name: next_is_view
SELECT EXISTS (SELECT 1 FROM duckdb_views() WHERE view_name = 'next');

-- name: is_folded
-- Whether `fold_ledger` has written the next ledger.
SELECT EXISTS (SELECT 1 FROM duckdb_tables() WHERE table_name = 'touched');

-- name: store_next
CREATE OR REPLACE TABLE stored_next AS FROM next;
DROP VIEW next;
ALTER TABLE stored_next RENAME TO next;

-- name: values_of_next
CREATE OR REPLACE VIEW ledger_values AS SELECT address, fields, merge_tags FROM next;

-- name: outcomes
-- One row for each profile and each rejected source row. `shared_with` marks a profile that shares its
-- address with another one and has the same outcome: the CustomerId of the other, empty without one.
-- The rows are in a file, because a table would need more memory.
COPY (
WITH people AS NOT MATERIALIZED (
    SELECT
        c.address, c.customer_id, c.segments, c.kind,
        CASE
            WHEN c.kind IN ('unchanged', 'kept', 'rejected') THEN c.kind
            WHEN c.kind IN ('not_retried', 'waiting') THEN 'notSent'
            WHEN c.kind = 'left' THEN CASE WHEN r.removed THEN 'removed' ELSE 'notSent' END
            ELSE coalesce(j.outcome, 'notSent')
        END AS outcome,
        CASE
            WHEN r.unsubscribed THEN 'withdrawnUnsubscribed'
            WHEN r.former_archived
                THEN CASE WHEN c.code = 'unused' THEN 'unusedArchived' ELSE 'formerArchived' END
            WHEN c.kind IN ('unchanged', 'kept', 'rejected') THEN c.code
            WHEN c.kind = 'not_retried' THEN 'notRetried'
            WHEN c.kind = 'waiting' THEN 'withdrawalsOnly'
            WHEN c.kind = 'left' AND r.removed
                THEN CASE WHEN c.withdrawn THEN 'consentWithdrawn' ELSE c.code END
            WHEN c.kind = 'left' THEN r.code
            ELSE coalesce(j.code, CASE WHEN j.outcome IS NULL THEN getvariable('unsent') END)
        END AS code,
        CASE WHEN c.kind IN ('unchanged', 'rejected') THEN c.field ELSE j.field END AS field,
        CASE WHEN j.outcome = 'rejected' THEN j.answer END AS answer
    FROM changes_with_outcome c
    LEFT JOIN outcome_ranges j ON j.first_line = c.outcome_id
    LEFT JOIN (
        SELECT
            address, bool_or(removed) AS removed, min(code) AS code,
            bool_or(removed AND tag_id = $unsubscribe_tag) AS unsubscribed,
            bool_or(removed AND tag_id = $former_tag) AS former_archived
        FROM removals
        GROUP BY address
    ) r ON r.address = c.address
)
SELECT
    customer_id, address AS email, segments, outcome, code, field,
    NULL::VARCHAR AS file, NULL::BIGINT AS line, NULL::VARCHAR AS shared_with, answer
FROM people
UNION ALL
SELECT
    o.customer_id, o.email, o.segments, p.outcome,
    CASE
        WHEN p.outcome IN ('created', 'updated', 'unchanged') THEN 'sharedAddress'
        ELSE coalesce(p.code, 'sharedAddressNotSent')
    END,
    p.field, NULL, NULL, coalesce(p.customer_id, ''), p.answer
FROM other_rows o JOIN people p ON p.address = o.email
WHERE o.what = 'shared'
UNION ALL
SELECT
    customer_id, email, segments, CASE WHEN code = 'erased' THEN 'kept' ELSE 'rejected' END,
    code, NULL, file, line, NULL, NULL
FROM other_rows
WHERE what = 'rejected'
) TO $file
(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 20480);
SET VARIABLE outcomes_file = $file;
CREATE OR REPLACE VIEW outcomes AS FROM read_parquet(getvariable('outcomes_file'));

-- name: outcomes_are_view
SELECT EXISTS (SELECT 1 FROM duckdb_views() WHERE view_name = 'outcomes');

-- name: store_outcomes
CREATE OR REPLACE TABLE stored_outcomes AS FROM outcomes;
DROP VIEW outcomes;
ALTER TABLE stored_outcomes RENAME TO outcomes;

-- name: count
SELECT count(*) FROM next;

-- name: write_next
COPY (FROM next) TO $file
(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 20480);

-- name: write_outcomes
COPY outcomes TO $file
(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 20480);

-- name: sent_anything
SELECT
    (SELECT count(*) FROM results WHERE outcome IN ('created', 'updated'))
    + (SELECT count(*) FROM removals WHERE removed);
