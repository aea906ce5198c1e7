-- name: load
-- Each statement reads only the columns that it needs from these files.
SET VARIABLE changes_file = $changes;
SET VARIABLE rows_file = $rows;
CREATE OR REPLACE VIEW changes AS
SELECT * FROM read_parquet(getvariable('changes_file'), file_row_number = true);
CREATE OR REPLACE VIEW other_rows AS SELECT * FROM read_parquet(getvariable('rows_file'));

-- name: results
-- The lines of the plan are numbered in the order of planning/sql/chunking.sql: people to send first,
-- then removals. Each of these rows has the equal outcomes of `count` consecutive lines.
SET VARIABLE unsent = $unsent;
CREATE OR REPLACE TABLE outcome_runs AS
SELECT * FROM read_csv(
    $outcomes, header = false, auto_detect = false, delim = ',', quote = '"', escape = '"',
    columns = {
        'first': 'BIGINT', 'count': 'BIGINT', 'outcome': 'VARCHAR', 'code': 'VARCHAR',
        'field': 'VARCHAR', 'status': 'VARCHAR', 'status_sent': 'INTEGER', 'answer': 'VARCHAR'
    },
    -- The lines of older versions have no answer.
    null_padding = true
);

CREATE OR REPLACE VIEW outcome_lines AS
SELECT unnest(range(first, first + count)) AS line, first FROM outcome_runs;

-- The rows of `changes` to send, each with the row of its outcome. With addresses and outcomes, the table would
-- be five times as large.
CREATE OR REPLACE TABLE sent AS
WITH sends AS (
    SELECT file_row_number, row_number() OVER (ORDER BY kind, address) - 1 AS line
    FROM changes
    WHERE kind IN ('add', 'update')
)
SELECT s.file_row_number, o.first FROM sends s LEFT JOIN outcome_lines o ON o.line = s.line;

CREATE OR REPLACE VIEW results AS
SELECT
    c.address,
    coalesce(o.outcome, 'notSent') AS outcome,
    coalesce(o.code, CASE WHEN o.outcome IS NULL THEN getvariable('unsent') END) AS code,
    o.field, o.status, coalesce(o.status_sent, 0) AS status_sent, o.answer
FROM changes c JOIN sent s USING (file_row_number) LEFT JOIN outcome_runs o USING (first);

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
            + (SELECT count(*) FROM sent) AS line
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
LEFT JOIN outcome_lines l ON l.line = n.line
LEFT JOIN outcome_runs o USING (first)
LEFT JOIN on_hold h ON n.line >= h.first AND n.line < h.first + h.people;
