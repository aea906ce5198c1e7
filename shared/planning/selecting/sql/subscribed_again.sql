-- name: runs
-- The people whom Mailchimp refused, with the run that was answered so. `ledger` does not have the run.
CREATE OR REPLACE TEMP TABLE refused AS
SELECT address, run_id FROM read_parquet($ledger) WHERE refused IS NOT NULL;
SELECT DISTINCT run_id FROM refused WHERE run_id IS NOT NULL;

-- name: forget
-- `since` is when the contact got its status. `not_subscribed` is newer than the stored contacts.
UPDATE ledger SET refused = NULL, refused_code = NULL, refused_field = NULL
WHERE address IN (
    SELECT address
    FROM refused
    JOIN (SELECT unnest($runs::VARCHAR[]) AS run_id, unnest($times::VARCHAR[]) AS refused_at) USING (run_id)
    JOIN stored_contacts USING (address)
    WHERE status IN ('subscribed', 'transactional') AND since > refused_at
      AND address NOT IN (SELECT address FROM not_subscribed WHERE status <> 'transactional')
);
