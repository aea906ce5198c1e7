-- name: rows
SELECT customer_id, email, segments, outcome, code, field, file, line, shared_with
FROM read_parquet($file)
WHERE $only IS NULL OR outcome = $only
ORDER BY file NULLS FIRST, line, email, customer_id;
