-- name: counts
SELECT outcome, count(*) FROM outcomes
WHERE shared_with IS NULL AND segments IS NOT NULL
GROUP BY outcome;

-- name: removed
SELECT count(DISTINCT address) FROM removals WHERE removed;

-- name: consent_proof
SELECT
    (SELECT count(*) FROM changes
     WHERE kind = 'kept' AND code NOT IN ('noConsent', 'consentWithdrawn')),
    (SELECT coalesce(sum(status_sent), 0)::BIGINT FROM results);
