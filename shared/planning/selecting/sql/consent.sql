-- name: decisions
-- The decisions that a person made for one address and that apply to all their other addresses. A bounced (cleaned) or
-- archived address is not a decision: it may be replaced. Pending is a decision, unless new contacts are asked for an
-- opt-in as well.
CREATE OR REPLACE MACRO address_decisions(new_status) AS TABLE
SELECT address, status AS code FROM not_subscribed
WHERE status = 'unsubscribed' OR (status = 'pending' AND new_status <> 'pending')
UNION ALL
SELECT address, refused_code FROM ledger WHERE refused_code IN ('complianceState', 'forgotten');

-- name: do_not_send
-- The consent rules: all people who get no data and no tag, with the reason. Consent belongs to an
-- address and to a person (CustomerId); the stricter of the two wins.
CREATE TABLE IF NOT EXISTS changed_addresses (address VARCHAR, status VARCHAR);

CREATE OR REPLACE TABLE do_not_send AS
WITH
-- 1. Addresses whose contact in the audience is not subscribed. A transactional contact
--    that this export wrote before is its own: it is updated, and its status is left alone. A
--    contact that an undo archived may be added again after an explicit yes.
address_status AS (
    SELECT n.address, n.status AS code
    FROM not_subscribed n LEFT JOIN ledger l ON l.address = n.address
    WHERE NOT (n.status = 'transactional' AND l.fingerprint IS NOT NULL)
      AND NOT ($add_archived AND n.status = 'archived' AND l.archived_by IS NOT NULL)
    UNION ALL
    -- Mailchimp reaches the person under the address that they chose there.
    SELECT address, 'addressChangedInMailchimp'
    FROM changed_addresses
    WHERE address NOT IN (SELECT address FROM not_subscribed)
),
-- 2. The decisions of a person for one address apply to all their other addresses in this run or the ledger. The ledger
--    still has the CustomerId that an address had before Customer Insights merged or split profiles.
decisions AS (FROM address_decisions($new_status)),
person_decisions AS (
    SELECT r.customer_id, d.address, d.code
    FROM source_rows r JOIN decisions d ON d.address = r.address
    UNION
    SELECT l.customer_id, d.address, d.code
    FROM ledger l JOIN decisions d ON d.address = l.address
),
decided_for_other_address AS (
    SELECT r.address, min(p.code) AS code
    FROM (SELECT customer_id, address FROM source_rows UNION ALL SELECT customer_id, address FROM ledger) r
    JOIN person_decisions p ON p.customer_id = r.customer_id AND p.address <> r.address
    GROUP BY r.address
),
-- 3. The consent attribute. A "no" in any row of a person applies to all their addresses, and a "no"
--    of any profile with an address applies to the address.
people_without_consent AS (
    SELECT DISTINCT customer_id FROM source_rows WHERE NOT consent AND customer_id IS NOT NULL
),
without_consent AS (
    SELECT address FROM source_rows WHERE NOT consent
    UNION
    SELECT r.address FROM source_rows r JOIN people_without_consent p USING (customer_id)
    UNION
    SELECT l.address FROM ledger l JOIN people_without_consent p USING (customer_id)
)
SELECT
    address,
    coalesce(
        -- A yes after a withdrawal does not subscribe: only the person can, at Mailchimp.
        CASE
            WHEN any_value(s.code) = 'unsubscribed' AND bool_or(l.unsubscribed_by IS NOT NULL)
                AND NOT bool_or(w.address IS NOT NULL)
                THEN 'unsubscribedByExport'
            ELSE any_value(s.code)
        END,
        any_value(d.code),
        CASE WHEN bool_or(l.fingerprint IS NOT NULL) THEN 'consentWithdrawn' ELSE 'noConsent' END
    ) AS code,
    -- Withdrawn consent also removes the tags that the export gave.
    bool_or(w.address IS NOT NULL) AS withdrawn
FROM address_status s
FULL JOIN decided_for_other_address d USING (address)
FULL JOIN without_consent w USING (address)
LEFT JOIN ledger l USING (address)
WHERE address IS NOT NULL
GROUP BY address;
