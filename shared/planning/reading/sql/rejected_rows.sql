-- name: unreadable
-- Rows that cannot be read, by cause: their number, and the first of them.
SELECT code, count(*), min_by(file, (file, line)), min_by(line, (file, line))
FROM rejects
WHERE starts_with(code, 'row')
GROUP BY code
ORDER BY count(*) DESC, code;

-- name: repeated_headers
-- Headers that files have again below the first row: their number, and the first of them.
SELECT count(*), min_by(file, (file, line)), min_by(line, (file, line)) FROM repeated_headers;

-- name: rejected_before
-- Rejected rows that the previous run rejected as well, with the same segment, profile, address and
-- reason. Line numbers may change, so equal rows are counted.
SELECT coalesce(sum(least(n.number, b.number)), 0)::BIGINT
FROM (
    SELECT segment::BIGINT AS segment, customer_id, email, code, count(*) AS number
    FROM rejects
    WHERE code <> 'erased'
    GROUP BY ALL
) n
JOIN (
    SELECT segments[1] AS segment, customer_id, email, code, count(*) AS number
    FROM read_parquet($file)
    WHERE outcome = 'rejected' AND file IS NOT NULL
    GROUP BY ALL
) b
    ON n.segment = b.segment AND n.code = b.code
    AND n.customer_id IS NOT DISTINCT FROM b.customer_id
    AND n.email IS NOT DISTINCT FROM b.email;

-- name: rejects
-- Rejected rows, those with an unusable address, and those that cannot be read.
SELECT
    count(*), count(*) FILTER (starts_with(code, 'address')), count(*) FILTER (starts_with(code, 'row'))
FROM rejects
WHERE code <> 'erased';
