-- name: withdrawals_only
SELECT count(*) FROM read_parquet($file) WHERE code = 'withdrawalsOnly';

-- name: failed
-- People and profiles that an earlier run rejected or did not send, without those that a newer run
-- has sent. Run ids sort newest first. A profile that only shared the address of a person who failed
-- does not count as failed. If it has its own address now, it is a new person, and the next run sends it.
CREATE OR REPLACE TABLE failed AS
SELECT o.email AS address, o.customer_id
FROM read_parquet($file) o LEFT JOIN ledger l ON l.address = o.email
WHERE o.outcome IN ('rejected', 'notSent')
  AND o.shared_with IS NULL
  AND NOT coalesce(l.run_id < $run AND l.fingerprint IS NOT NULL AND l.refused IS NULL, false);

-- name: not_retried
SELECT count(*) FROM changes WHERE kind = 'not_retried';
