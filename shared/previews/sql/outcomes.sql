-- name: missing
-- New people that Mailchimp would refuse because they have no value for a required merge field.
SELECT field, count(*) FROM outcomes
WHERE code = $code AND outcome = 'rejected' AND shared_with IS NULL AND email IN (
    SELECT address FROM results
)
GROUP BY field
ORDER BY field;
