-- name: open
-- The file of an older version has no column for what Mailchimp answered.
SET VARIABLE outcome_file = $file;
CREATE OR REPLACE VIEW outcome_rows AS
SELECT * FROM read_parquet(getvariable('outcome_file'))
UNION ALL BY NAME
SELECT NULL::VARCHAR AS answer WHERE false;

-- name: rows
SELECT customer_id, email, segments, outcome, code, field, file, line, shared_with, answer
FROM outcome_rows
WHERE $only IS NULL OR outcome = $only
ORDER BY file NULLS FIRST, line, email, customer_id, segments;

-- name: reasons
-- Every reason of an outcome with its number of rows and the first $samples of them, the most
-- frequent reason first.
SELECT
    count(*) OVER (PARTITION BY code) AS number,
    customer_id, email, segments, outcome, code, field, file, line, shared_with, answer
FROM outcome_rows
WHERE outcome = $only
QUALIFY row_number() OVER (
    PARTITION BY code ORDER BY file NULLS FIRST, line, email, customer_id, segments
) <= $samples
ORDER BY number DESC, code, file NULLS FIRST, line, email, customer_id, segments;

-- name: matches
-- One page of the rows of an outcome, with the number of rows on all pages. `is_row` is NULL in the
-- only row of an empty page.
WITH matching AS (
    SELECT
        true AS is_row,
        customer_id, email, segments, outcome, code, field, file, line, shared_with, answer
    FROM outcome_rows
    WHERE outcome = $only
      AND ($code = '' OR code = $code)
      AND (
          contains(lower(coalesce(email, '')), lower($wanted))
          OR contains(lower(coalesce(customer_id, '')), lower($wanted))
          OR contains(lower(coalesce(file, '')), lower($wanted))
      )
)
SELECT number, page.*
FROM (SELECT count(*) AS number FROM matching)
LEFT JOIN (
    FROM matching
    ORDER BY file NULLS FIRST, line, email, customer_id, segments
    LIMIT $top OFFSET $skip
) AS page ON true
ORDER BY file NULLS FIRST, line, email, customer_id, segments;

-- name: totals
SELECT outcome, code, field, count(*) FROM outcome_rows
GROUP BY ALL
ORDER BY count(*) DESC, outcome, code, field;
