-- name: create
CREATE OR REPLACE TABLE changed_addresses (address VARCHAR, status VARCHAR);

-- name: former
-- The former addresses of contacts, with the status of the contact. The sweep stored each contact's id and
-- addresses; `not_subscribed` is newer.
CREATE OR REPLACE TEMP VIEW identified_contacts AS
SELECT address, contact_id, former, withdrawn FROM stored_contacts WHERE contact_id <> '';

-- A contact that was archived after the person had unsubscribed is still unsubscribed.
UPDATE not_subscribed SET status = 'unsubscribed'
WHERE status = 'archived' AND (
    contact_id IN (SELECT contact_id FROM identified_contacts WHERE withdrawn)
    OR address IN (SELECT address FROM identified_contacts WHERE withdrawn)
);

INSERT INTO changed_addresses
SELECT address, status
FROM (
    SELECT current_address, status, unnest(addresses) AS address
    FROM (
        SELECT n.address AS current_address, n.status, list_append(s.former, s.address) AS addresses
        FROM identified_contacts s JOIN not_subscribed n ON n.contact_id = s.contact_id
        WHERE s.address <> n.address OR len(s.former) > 0
        UNION ALL
        SELECT s.address, coalesce(n.status, 'subscribed'), s.former
        FROM identified_contacts s LEFT JOIN not_subscribed n ON n.address = s.address
        WHERE len(s.former) > 0
          AND s.contact_id NOT IN (SELECT contact_id FROM not_subscribed WHERE contact_id <> '')
    )
)
WHERE address <> current_address;

-- name: count
SELECT count(*) FROM changed_addresses;

-- name: strictest
-- One row for each former address that no contact has now, with the strictest status. If another contact has the
-- address now, the status of that contact applies.
CREATE OR REPLACE TABLE changed_addresses AS
WITH taken AS (
    SELECT s.address
    FROM identified_contacts s
    SEMI JOIN changed_addresses c ON c.address = s.address
    LEFT JOIN not_subscribed n ON n.contact_id = s.contact_id
    WHERE n.address IS NULL OR n.address = s.address
)
SELECT
    address,
    arg_min(
        status,
        list_position(
            ['unsubscribed', 'pending', 'cleaned', 'archived', 'transactional', 'subscribed'], status
        )
    ) AS status
FROM changed_addresses
WHERE address NOT IN (SELECT address FROM taken) AND address NOT IN (SELECT address FROM not_subscribed)
GROUP BY address;

-- A person is not subscribed under the former address of a contact that is not subscribed. A transactional contact
-- has not refused email (record 60), so only its change of address counts.
INSERT INTO not_subscribed BY NAME
SELECT address, status FROM changed_addresses WHERE status NOT IN ('subscribed', 'transactional');

-- name: people
-- People of the segments whose contact has another address.
SELECT count(*) FROM changes JOIN changed_addresses USING (address) WHERE kind = 'kept';
