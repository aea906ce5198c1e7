-- name: create
-- One row for each contact of the audience, with its status. `since` is when the contact got the status, in ISO 8601.
-- `contact_id` stays the same when the address changes; NULL in rows of earlier versions. `former` lists the
-- addresses that the contact had before. `withdrawn`: the contact is archived, and was unsubscribed before, which
-- Mailchimp does not show any more.
CREATE OR REPLACE TABLE contacts (
    address VARCHAR, status VARCHAR, since VARCHAR, reason VARCHAR, campaign VARCHAR,
    generation INTEGER, contact_id VARCHAR, former VARCHAR[], withdrawn BOOLEAN
);

-- name: load
INSERT INTO contacts BY NAME FROM stored_contacts;

-- name: changed_contacts
-- A contact that was read twice, as active and as archived or under two addresses, gets the later status.
CREATE OR REPLACE TABLE changed_contacts AS
SELECT address, status, changed, opted_in, reason, '' AS campaign, contact_id
FROM (
    SELECT
        unnest($addresses::VARCHAR[]) AS address, unnest($statuses::VARCHAR[]) AS status,
        unnest($changed::VARCHAR[]) AS changed, unnest($opted_in::VARCHAR[]) AS opted_in,
        unnest($reasons::VARCHAR[]) AS reason, unnest($contact_ids::VARCHAR[]) AS contact_id
)
QUALIFY row_number() OVER (PARTITION BY address ORDER BY changed DESC, status) = 1;

DELETE FROM changed_contacts
WHERE contact_id <> '' AND (contact_id, address) NOT IN (
    SELECT contact_id, arg_max(address, (changed, address)) FROM changed_contacts GROUP BY contact_id
);

-- name: candidates
CREATE OR REPLACE TEMP VIEW candidates AS
SELECT address FROM changed_contacts
UNION
SELECT address FROM contacts
UNION
SELECT unnest(former) FROM contacts WHERE len(former) > 0;

-- name: erased
SELECT count(*) FROM contacts
WHERE address IN (SELECT address FROM erased_addresses)
    OR list_has_any(former, (SELECT coalesce(list(address), []) FROM erased_addresses));

-- name: delete_erased
DELETE FROM changed_contacts WHERE address IN (SELECT address FROM erased_addresses);
DELETE FROM contacts WHERE address IN (SELECT address FROM erased_addresses);
UPDATE contacts
SET former = list_filter(former, lambda one: NOT list_contains(e.erased, one))
FROM (SELECT coalesce(list(address), []) AS erased FROM erased_addresses) e
WHERE list_has_any(former, e.erased);

-- name: pair
-- The stored row of each changed contact: the one with its contact id, otherwise the one with its address.
CREATE OR REPLACE TABLE paired AS
WITH by_contact AS (
    SELECT c.address AS changed_address, d.*
    FROM changed_contacts c JOIN contacts d ON d.contact_id = c.contact_id AND c.contact_id <> ''
)
FROM by_contact
UNION ALL BY NAME
SELECT c.address AS changed_address, d.*
FROM changed_contacts c JOIN contacts d ON d.address = c.address
WHERE (coalesce(d.contact_id, '') = '' OR c.contact_id = '')
  AND c.address NOT IN (SELECT changed_address FROM by_contact);

-- name: count_changes
-- Changes of values and tags are listed too; only a new status, reason or address counts.
SELECT count(*)
FROM changed_contacts c LEFT JOIN paired d ON d.changed_address = c.address
WHERE d.status IS DISTINCT FROM c.status OR d.reason IS DISTINCT FROM c.reason OR d.address <> c.address;

-- name: count_identified
-- The number of contacts whose id is known now, and was unknown or different before.
SELECT count(*) FROM changed_contacts c JOIN paired d ON d.changed_address = c.address
WHERE c.contact_id <> coalesce(d.contact_id, '');

-- name: unsubscribed
-- People who unsubscribed since the last sweep, the newest first.
SELECT c.address
FROM changed_contacts c JOIN paired d ON d.changed_address = c.address
WHERE c.status = 'unsubscribed' AND d.status <> 'unsubscribed'
  AND c.reason NOT IN ('unsubscribedByAdmin', 'complianceReview')
ORDER BY c.changed DESC, c.address
LIMIT $most;

-- name: campaign
UPDATE changed_contacts SET campaign = $campaign WHERE address = $address;

-- name: merge
-- A new contact that is subscribed has had this status since the opt-in.
CREATE OR REPLACE TABLE merged AS
SELECT
    c.address,
    c.status,
    CASE
        WHEN c.status = d.status THEN d.since
        WHEN c.status = 'subscribed' AND d.status IS NULL AND c.opted_in <> '' THEN c.opted_in
        ELSE c.changed
    END AS since,
    c.reason,
    CASE WHEN c.status = d.status THEN d.campaign ELSE c.campaign END AS campaign,
    $generation::INTEGER AS generation,
    if(c.contact_id <> '', c.contact_id, coalesce(d.contact_id, '')) AS contact_id,
    CASE
        WHEN d.address IS NULL THEN []
        WHEN d.address = c.address THEN d.former
        ELSE list_append(list_filter(d.former, lambda one: one <> d.address), d.address)
    END AS former,
    c.status = 'archived' AND (coalesce(d.withdrawn, false) OR coalesce(d.status = 'unsubscribed', false))
        AS withdrawn
FROM changed_contacts c LEFT JOIN paired d ON d.changed_address = c.address
UNION ALL BY NAME
-- An address belongs to one contact. Where another contact has it now, the address of this one is unknown,
-- and its contact id takes the place of the address.
SELECT
    * EXCLUDE (is_taken) REPLACE (
        if(is_taken, contact_id, address) AS address,
        if(is_taken, list_append(former, address), former) AS former
    )
FROM (
    SELECT d.*, d.address IN (SELECT address FROM changed_contacts) AS is_taken
    FROM contacts d
    WHERE d.address NOT IN (SELECT address FROM paired)
)
WHERE NOT is_taken OR contact_id <> '';
DROP TABLE contacts;

UPDATE merged SET former = list_filter(former, lambda one: one <> address AND one <> contact_id)
WHERE len(former) > 0;

-- name: drop_missing
-- All contacts were read again; the others are no longer in the audience.
DELETE FROM merged WHERE generation <> $generation;

-- name: save
FROM merged ORDER BY address;
