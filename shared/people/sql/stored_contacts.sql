-- name: open
-- Earlier versions stored fewer columns; these are NULL, and there are no former addresses. A contact whose
-- address is unknown has its id there (consent_updates/sql/sweep.sql).
SET VARIABLE contacts_file = $file;
CREATE OR REPLACE TEMP VIEW stored_contacts AS
SELECT
    address, status, since, reason, campaign, generation, contact_id, coalesce(former, []) AS former, withdrawn
FROM (
    SELECT * FROM read_parquet(getvariable('contacts_file'))
    UNION ALL BY NAME
    SELECT NULL::VARCHAR AS contact_id, NULL::VARCHAR[] AS former, NULL::BOOLEAN AS withdrawn WHERE false
);

-- name: count
-- Contacts, archived contacts, and those of both that were read before contact ids were stored.
SELECT
    count(*) FILTER (status <> 'archived'), count(*) FILTER (status = 'archived'),
    count(*) FILTER (contact_id IS NULL)
FROM stored_contacts;

-- name: ids
-- The contact that has an address now, otherwise the contacts that had it, those that are not subscribed first.
WITH addresses AS (
    SELECT address, contact_id, true AS is_current, status FROM stored_contacts WHERE contact_id <> ''
    UNION ALL
    SELECT unnest(former), contact_id, false, status FROM stored_contacts
    WHERE contact_id <> '' AND len(former) > 0
),
wanted AS (
    SELECT *, bool_or(is_current) OVER (PARTITION BY address) AS is_taken
    FROM addresses
    WHERE address IN (SELECT unnest($addresses::VARCHAR[]))
)
SELECT address, list(contact_id ORDER BY status = 'subscribed', contact_id)[:$most::BIGINT]
FROM wanted
WHERE is_current = is_taken
GROUP BY address;

-- name: addresses_of_ids
-- The addresses that contacts have or had, without those that another contact has now.
WITH contact AS (
    SELECT address, former FROM stored_contacts WHERE contact_id IN (SELECT unnest($ids::VARCHAR[]))
)
SELECT address FROM contact WHERE contains(address, '@')
UNION
SELECT address FROM (SELECT unnest(former) AS address FROM contact)
WHERE address NOT IN (SELECT address FROM stored_contacts ANTI JOIN contact USING (address));
