-- name: load
-- Each statement reads only the columns that it needs from these files.
SET VARIABLE changes_file = $changes;
SET VARIABLE rows_file = $rows;
CREATE OR REPLACE VIEW changes AS
SELECT * FROM read_parquet(getvariable('changes_file'), file_row_number = true);
CREATE OR REPLACE VIEW other_rows AS SELECT * FROM read_parquet(getvariable('rows_file'));

-- name: results
-- The lines of the plan are numbered in the order of planning/writing/sql/chunking.sql: people to send first,
-- then removals. Each range has the equal outcomes of `count` consecutive lines; `outcome_id` is the `first_line`
-- of the first range with an equal outcome.
SET VARIABLE unsent = $unsent;
CREATE OR REPLACE TABLE outcome_ranges AS
SELECT
    *, min(first_line) OVER (PARTITION BY outcome, code, field, status, status_sent, answer) AS outcome_id
FROM read_csv(
    $outcomes, header = false, auto_detect = false, delim = ',', quote = '"', escape = '"',
    columns = {
        'first_line': 'BIGINT', 'count': 'BIGINT', 'outcome': 'VARCHAR', 'code': 'VARCHAR',
        'field': 'VARCHAR', 'status': 'VARCHAR', 'status_sent': 'INTEGER', 'answer': 'VARCHAR'
    },
    -- The lines of older versions have no answer.
    null_padding = true
);

CREATE OR REPLACE VIEW outcome_lines AS
SELECT unnest(range(first_line, first_line + count)) AS line, outcome_id FROM outcome_ranges;

-- The rows of `changes` to send whose outcome is not the most frequent one. A join with all people would need
-- 100 MB for a million of them.
SET VARIABLE most_frequent = (
    SELECT outcome_id FROM outcome_ranges GROUP BY outcome_id ORDER BY sum(count) DESC, outcome_id LIMIT 1
);
CREATE OR REPLACE TABLE other_outcomes AS
WITH send_lines AS (
    SELECT file_row_number, row_number() OVER (ORDER BY kind, address) - 1 AS line
    FROM changes
    WHERE kind IN ('add', 'update')
)
SELECT s.file_row_number, o.outcome_id
FROM send_lines s LEFT JOIN outcome_lines o ON o.line = s.line
WHERE o.outcome_id IS DISTINCT FROM getvariable('most_frequent');

CREATE OR REPLACE VIEW changes_with_outcome AS
SELECT
    c.*,
    CASE
        WHEN c.kind NOT IN ('add', 'update') THEN NULL
        WHEN o.file_row_number IS NULL THEN getvariable('most_frequent')
        ELSE o.outcome_id
    END AS outcome_id
FROM changes c LEFT JOIN other_outcomes o USING (file_row_number);

CREATE OR REPLACE VIEW results AS
SELECT
    c.address, c.contact_status,
    coalesce(o.outcome, 'notSent') AS outcome,
    coalesce(o.code, CASE WHEN o.outcome IS NULL THEN getvariable('unsent') END) AS code,
    o.field, o.status, coalesce(o.status_sent, 0) AS status_sent, o.answer
FROM changes_with_outcome c LEFT JOIN outcome_ranges o ON o.first_line = c.outcome_id
WHERE c.kind IN ('add', 'update');

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
            + (SELECT count(*) FROM changes WHERE kind IN ('add', 'update')) AS line
    FROM tags
),
unconfirmed AS (
    SELECT unnest($unconfirmed_first::BIGINT[]) AS first, unnest($unconfirmed_people::BIGINT[]) AS people
)
SELECT
    n.tag_id, n.address,
    coalesce(o.outcome = 'removed', false) AS removed,
    removed AND coalesce(o.code = $tag_absent, false) AS absent,
    CASE
        WHEN removed THEN NULL
        WHEN o.outcome IS NOT NULL THEN o.code
        WHEN u.first IS NOT NULL THEN 'awaitingConfirmation'
        ELSE $unsent
    END AS code
FROM numbered n
LEFT JOIN outcome_lines l ON l.line = n.line
LEFT JOIN outcome_ranges o ON o.first_line = l.outcome_id
LEFT JOIN unconfirmed u ON n.line >= u.first AND n.line < u.first + u.people;
