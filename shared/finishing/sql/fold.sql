-- name: touched
-- The people whose rows in the ledger may change.
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

-- name: next
-- The ledger after this run, always computed from the ledger that the plan was made with, so folding
-- the same outcomes twice gives the same result. It is a view of a file, because a table would need most of
-- the memory: the rows of people in `touched` are computed, those of all others stay as they are in `ledger`.
WITH
removal_results AS (
    SELECT
        address,
        list(tag_id) FILTER (removed) AS tags,
        bool_or(removed AND tag_id IN ($archive_tag, $former_tag)) AS archived,
        bool_or(removed AND tag_id = $unsubscribe_tag) AS unsubscribed,
        bool_or(code = 'notInAudience') AS absent,
        -- A former contact that others have tagged is theirs now. Otherwise every run would read it again.
        bool_or(code = 'taggedByOthers') AS taken
    FROM removals
    GROUP BY address
),
-- What a result means for the ledger: accepted, refused (permanently, or for a few runs if it may be
-- temporary), or absent (the person is not in the audience, so has none of our tags). In a subquery, because
-- DuckDB plans an alias again wherever it is used. The columns of the ledger have `old_` before their names.
with_results AS (
    SELECT
        c.*, COLUMNS(l.*) AS 'old_\0',
        coalesce(o.outcome IN ('created', 'updated'), false) AS sent,
        -- An undo may restore only the tags of a person: the values of the ledger stay.
        sent AND c.fields IS NOT NULL AS sent_values,
        coalesce(o.outcome = 'created', false) AS created,
        coalesce(
            o.outcome = 'rejected'
                AND list_contains(list_concat($until_row_changes, $a_few_runs)::VARCHAR[], o.code),
            false
        ) AS refused_now,
        coalesce(
            o.outcome = 'rejected' AND (
                list_contains($a_few_runs::VARCHAR[], o.code)
                -- The field has become required since the run was planned. Someone may change that back.
                OR (o.code = 'fieldRequired' AND NOT list_contains($required::VARCHAR[], o.field))
            ),
            false
        ) AS is_temporary,
        o.code AS outcome_code,
        o.field AS outcome_field,
        CASE WHEN o.code = 'valueDropped' THEN o.field END AS dropped_now,
        coalesce(o.outcome = 'rejected' AND o.code IN ('forgotten', 'notInAudience'), false)
            OR coalesce(r.archived OR r.absent, false) AS forget,
        r.archived, r.unsubscribed, r.tags AS lost_tags,
        r.taken
    FROM (
        FROM changes_with_outcome
        WHERE kind IN ('add', 'update') OR address IN (SELECT address FROM touched)
    ) c
    LEFT JOIN (FROM ledger SEMI JOIN touched USING (address)) l ON l.address = c.address
    LEFT JOIN removal_results r ON r.address = c.address
    LEFT JOIN outcome_ranges o ON o.first_line = c.outcome_id
)
SELECT
    address,
    CASE WHEN sent THEN customer_id ELSE coalesce(old_customer_id, customer_id) END AS customer_id,
    CASE WHEN sent_values THEN fingerprint WHEN forget THEN NULL ELSE old_fingerprint END AS fingerprint,
    CASE
        WHEN forget THEN NULL
        WHEN NOT sent_values THEN old_fields
        WHEN dropped_now IS NULL THEN fields
        -- When a value was not sent, Mailchimp still has the earlier one.
        ELSE to_json(list_transform(
            from_json(fields, '["VARCHAR"]'),
            lambda value, position: CASE
                WHEN list_contains(
                    string_split(dropped_now, ' '), split_part(($merge_tags::VARCHAR[])[position], '.', 1)
                )
                    THEN from_json(old_fields, '["VARCHAR"]')[
                        list_position(old_merge_tags, ($merge_tags::VARCHAR[])[position])
                    ]
                ELSE value
            END
        ))::VARCHAR
    END AS fields,
    CASE WHEN sent_values THEN $merge_tags::VARCHAR[] WHEN forget THEN NULL ELSE old_merge_tags END
        AS merge_tags,
    CASE WHEN sent_values THEN dropped_now WHEN forget THEN NULL ELSE old_dropped END AS dropped,
    list_sort(list_filter(
        CASE
            WHEN sent THEN list_distinct(list_concat(coalesce(old_tags, []), tags))
            WHEN forget THEN []
            ELSE coalesce(old_tags, [])
        END,
        lambda t: NOT list_contains(coalesce(lost_tags, []), t)
    )) AS tags,
    CASE WHEN sent THEN NULL WHEN refused_now THEN fingerprint ELSE old_refused END AS refused,
    CASE WHEN sent THEN NULL WHEN refused_now THEN outcome_code ELSE old_refused_code END
        AS refused_code,
    CASE WHEN sent THEN NULL WHEN refused_now THEN nullif(outcome_field, '') ELSE old_refused_field END
        AS refused_field,
    CASE
        WHEN refused_now OR dropped_now IS NOT NULL THEN $field_rules
        WHEN NOT sent_values THEN old_field_rules
    END AS field_rules,
    CASE
        WHEN is_temporary
            THEN CASE WHEN old_refused = fingerprint THEN coalesce(old_tries, 0) ELSE 0 END + 1
        WHEN sent OR refused_now THEN 0
        ELSE coalesce(old_tries, 0)
    END AS tries,
    CASE WHEN sent THEN NULL WHEN archived THEN $run ELSE old_archived_by END AS archived_by,
    CASE
        WHEN sent OR refused_now OR lost_tags IS NOT NULL OR old_address IS NULL THEN $run
        ELSE old_run_id
    END AS run_id,
    CASE WHEN sent THEN NULL WHEN unsubscribed THEN $run ELSE old_unsubscribed_by END
        AS unsubscribed_by,
    CASE
        WHEN forget OR taken THEN NULL
        WHEN created THEN $run
        ELSE old_created_by
    END AS created_by
FROM with_results
WHERE old_address IS NOT NULL OR sent OR refused_now OR (kind = 'kept' AND customer_id IS NOT NULL)
UNION ALL BY NAME
SELECT
    address, customer_id, fingerprint, fields, merge_tags, dropped, tags, refused, refused_code,
    refused_field, field_rules, tries,
    archived_by, run_id, unsubscribed_by, created_by
-- Sorted addresses would make the file 15 % smaller, but sorting a million rows takes ten seconds.
FROM ledger ANTI JOIN touched USING (address);

-- name: open_next
SET VARIABLE next_file = $file;
CREATE OR REPLACE VIEW next AS FROM read_parquet(getvariable('next_file'));
SET VARIABLE next_is = 'file';

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
SET VARIABLE next_is = 'ledger';

-- name: next_is
-- 'file' (a view of the file that `open_next` opened), 'ledger' (a view of it) or 'table'. Asking
-- duckdb_views() takes 2 ms.
SELECT getvariable('next_is');

-- name: store_next
CREATE OR REPLACE TABLE stored_next AS FROM next;
DROP VIEW next;
ALTER TABLE stored_next RENAME TO next;
SET VARIABLE next_is = 'table';

-- name: values_of_next
CREATE OR REPLACE VIEW ledger_values AS SELECT address, fields, merge_tags FROM next;

-- name: outcomes
-- One row for each profile and each rejected source row. `shared_with` marks a profile that shares its
-- address with another one and has the same outcome: the CustomerId of the other, empty without one.
-- `tags_absent`: tags that the run was to remove and that the contact did not have.
-- The rows are in a file, because a table would need more memory.
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
        CASE WHEN j.outcome = 'rejected' THEN j.answer END AS answer,
        r.tags_absent
    FROM changes_with_outcome c
    LEFT JOIN outcome_ranges j ON j.first_line = c.outcome_id
    LEFT JOIN (
        SELECT
            address, bool_or(removed) AS removed, min(code) AS code,
            bool_or(removed AND tag_id = $unsubscribe_tag) AS unsubscribed,
            bool_or(removed AND tag_id = $former_tag) AS former_archived,
            list(tag_id ORDER BY tag_id) FILTER (absent) AS tags_absent
        FROM removals
        GROUP BY address
    ) r ON r.address = c.address
)
SELECT
    customer_id, address AS email, segments, outcome, code, field,
    NULL::VARCHAR AS file, NULL::BIGINT AS line, NULL::VARCHAR AS shared_with, answer, tags_absent
FROM people
UNION ALL
SELECT
    o.customer_id, o.email, o.segments, p.outcome,
    CASE
        WHEN p.outcome IN ('created', 'updated', 'unchanged') THEN 'sharedAddress'
        ELSE coalesce(p.code, 'sharedAddressNotSent')
    END,
    p.field, NULL, NULL, coalesce(p.customer_id, ''), p.answer, NULL
FROM other_rows o JOIN people p ON p.address = o.email
WHERE o.what = 'shared'
UNION ALL
SELECT
    customer_id, email, segments, CASE WHEN code = 'erased' THEN 'kept' ELSE 'rejected' END,
    code, NULL, file, line, NULL, NULL, NULL
FROM other_rows
WHERE what = 'rejected';

-- name: open_outcomes
SET VARIABLE outcomes_file = $file;
CREATE OR REPLACE VIEW outcomes AS FROM read_parquet(getvariable('outcomes_file'));
SET VARIABLE outcomes_are = 'file';

-- name: outcomes_are
-- 'file' or 'table', like `next_is`.
SELECT getvariable('outcomes_are');

-- name: store_outcomes
CREATE OR REPLACE TABLE stored_outcomes AS FROM outcomes;
DROP VIEW outcomes;
ALTER TABLE stored_outcomes RENAME TO outcomes;
SET VARIABLE outcomes_are = 'table';

-- name: count
SELECT count(*) FROM next;

-- name: write_next
FROM next;

-- name: write_outcomes
FROM outcomes;

-- name: sent_anything
SELECT
    (SELECT count(*) FROM results WHERE outcome IN ('created', 'updated'))
    + (SELECT count(*) FROM removals WHERE removed);
