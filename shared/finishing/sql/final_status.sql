-- name: counts
SELECT outcome, count(*) FROM outcomes
WHERE shared_with IS NULL AND segments IS NOT NULL
GROUP BY outcome;

-- name: removed
SELECT count(DISTINCT address) FROM removals
WHERE removed AND NOT list_contains($contact_tags::BIGINT[], tag_id);

-- name: unconfirmed
-- People with removals that wait for a confirmation.
SELECT count(DISTINCT address) FROM removals WHERE NOT removed AND code = 'awaitingConfirmation';

-- name: consent_proof
SELECT
    (SELECT count(*) FROM changes
     WHERE kind = 'kept'
         -- The last ones are subscribed, under another address.
         AND code NOT IN ('noConsent', 'consentWithdrawn', 'excluded', 'addressChangedInMailchimp')),
    (SELECT coalesce(sum(status_sent), 0)::BIGINT FROM results),
    (SELECT count(*) FROM removals WHERE removed AND tag_id = $unsubscribe_tag),
    (SELECT count(*) FROM removals WHERE removed AND list_contains($archive_tags::BIGINT[], tag_id));

-- name: unsubscribes_missed
-- People who withdrew consent and may still be subscribed. Those in another status need no change,
-- and those that wait for a confirmation are counted elsewhere.
SELECT count(*) FROM removals
WHERE NOT removed AND tag_id = $unsubscribe_tag
  AND code NOT IN (
      'unsubscribed', 'cleaned', 'pending', 'transactional', 'archived', 'notInAudience',
      'awaitingConfirmation'
  );

-- name: refusals
-- Why Mailchimp refused people, the most frequent reason first.
SELECT code, count(*) AS people FROM outcomes
WHERE outcome = 'rejected' AND file IS NULL AND shared_with IS NULL
GROUP BY code
ORDER BY people DESC, code;

-- name: people_without_answer
-- People of this run whose call got no usable answer.
SELECT count(*)
FROM changes_with_outcome c JOIN outcome_ranges o ON o.first_line = c.outcome_id
WHERE o.outcome = 'rejected' AND o.code = 'callFailed';

-- name: removal_refusals
-- Why Mailchimp refused to remove a tag, once for each person. Calls that failed or were not made are not
-- refusals.
SELECT code, count(*) AS people
FROM (
    SELECT min(code) AS code FROM removals
    WHERE NOT removed AND NOT list_contains($contact_tags::BIGINT[], tag_id)
      AND code NOT IN (
          'callFailed', 'canceled', 'disconnected', 'runStopped', 'awaitingConfirmation'
      )
    GROUP BY address
)
GROUP BY code
ORDER BY people DESC, code;

-- name: dropped
-- Merge fields whose value did not fit, with the number of people, including those of earlier runs.
SELECT tag, count(*) AS people
FROM (
    SELECT unnest(string_split(field, ' ')) AS tag FROM outcomes
    WHERE code = 'valueDropped' AND shared_with IS NULL
)
GROUP BY tag;

-- name: cut
-- Merge fields whose value was cut in this run, with the number of people.
SELECT tag, count(*) AS people
FROM (
    SELECT unnest(string_split(field, ' ')) AS tag FROM outcomes
    WHERE code = 'valueCut' AND shared_with IS NULL
)
GROUP BY tag;

-- name: given
-- People who have a value for the mapped attribute number $position, counted from 1. Values of people
-- who are unchanged are in the ledger. If one of them did not fit, the plan has them.
SELECT count(*) FROM changes c LEFT JOIN ledger_values l ON l.address = c.address AND c.fields IS NULL
WHERE c.kind IN ('add', 'update', 'unchanged')
  AND from_json(coalesce(c.fields, l.fields), '["VARCHAR"]')[$position] IS NOT NULL;

-- name: emptied
-- People whose value for this attribute is empty, which does not fit the required merge field $tag.
SELECT count(*)
FROM outcomes o
JOIN changes c ON c.address = o.email
LEFT JOIN ledger_values l ON l.address = c.address AND c.fields IS NULL
WHERE o.code = 'valueDropped' AND o.shared_with IS NULL
  AND list_contains(string_split(upper(o.field), ' '), $tag)
  AND from_json(coalesce(c.fields, l.fields), '["VARCHAR"]')[$position] IS NULL;
