-- name: load
-- Each statement reads only the columns that it needs from these files.
SET VARIABLE changes_file = $changes;
SET VARIABLE rows_file = $rows;
CREATE OR REPLACE VIEW changes AS SELECT * FROM read_parquet(getvariable('changes_file'));
CREATE OR REPLACE VIEW other_rows AS SELECT * FROM read_parquet(getvariable('rows_file'));

-- name: results
-- The lines of the plan are numbered in the order of planning/sql/chunking.sql: people to send first,
-- then removals.
CREATE OR REPLACE TABLE outcome_lines AS
SELECT * FROM read_csv(
    $outcomes, header = false, auto_detect = false, delim = ',', quote = '"', escape = '"',
    columns = {
        'line': 'BIGINT', 'outcome': 'VARCHAR', 'code': 'VARCHAR', 'field': 'VARCHAR',
        'status': 'VARCHAR', 'status_sent': 'INTEGER', 'answer': 'VARCHAR'
    },
    -- The lines of older versions have no answer.
    null_padding = true
);

CREATE OR REPLACE TABLE results AS
WITH sends AS (
    SELECT address, row_number() OVER (ORDER BY kind, address) - 1 AS line
    FROM changes
    WHERE kind IN ('add', 'update')
)
SELECT
    s.address,
    coalesce(o.outcome, 'notSent') AS outcome,
    coalesce(o.code, CASE WHEN o.outcome IS NULL THEN $unsent END) AS code,
    o.field, o.status, coalesce(o.status_sent, 0) AS status_sent, o.answer
FROM sends s LEFT JOIN outcome_lines o ON o.line = s.line;

CREATE OR REPLACE TABLE removals AS
WITH
tags AS (
    SELECT withdrawn, unnest(tags_to_remove) AS tag_id, address
    FROM changes
    WHERE tags_to_remove IS NOT NULL
),
numbered AS (
    SELECT
        tag_id, address,
        row_number() OVER (ORDER BY NOT withdrawn, tag_id, address) - 1
            + (SELECT count(*) FROM results) AS line
    FROM tags
),
on_hold AS (SELECT unnest($on_hold_first::BIGINT[]) AS first, unnest($on_hold_people::BIGINT[]) AS people)
SELECT
    n.tag_id, n.address,
    coalesce(o.outcome = 'removed', false) AS removed,
    CASE
        WHEN removed THEN NULL
        WHEN o.outcome IS NOT NULL THEN o.code
        WHEN h.first IS NOT NULL THEN 'awaitingConfirmation'
        ELSE $unsent
    END AS code
FROM numbered n
LEFT JOIN outcome_lines o ON o.line = n.line
LEFT JOIN on_hold h ON n.line >= h.first AND n.line < h.first + h.people;

DROP TABLE outcome_lines;
