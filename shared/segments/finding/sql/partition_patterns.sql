-- name: matching
SELECT path
FROM (SELECT unnest($paths::VARCHAR[]) AS path)
WHERE regexp_full_match(path, $pattern) OR regexp_full_match('/' || path, $pattern);
