-- name: create
CREATE OR REPLACE TABLE changed_addresses (address VARCHAR, status VARCHAR);

-- name: find
-- Addresses that are not in the audience because their contact has another address now, with the status of
-- the contact. The sweep stored each contact's id and addresses; `not_subscribed` is newer.
INSERT INTO changed_addresses
WITH stored AS (
    SELECT address, contact_id, former
    FROM (
        SELECT * FROM read_parquet($file)
        UNION ALL BY NAME
        -- Earlier versions stored fewer columns.
        SELECT NULL::VARCHAR AS contact_id, NULL::VARCHAR[] AS former WHERE false
    )
    WHERE contact_id <> ''
),
current_contacts AS (
    SELECT n.address, n.status, list_append(s.former, s.address) AS addresses
    FROM stored s JOIN not_subscribed n ON n.contact_id = s.contact_id
    UNION ALL
    SELECT s.address, coalesce(n.status, 'subscribed'), s.former
    FROM stored s LEFT JOIN not_subscribed n ON n.address = s.address
    WHERE len(s.former) > 0
      AND s.contact_id NOT IN (SELECT contact_id FROM not_subscribed WHERE contact_id <> '')
),
candidates AS (
    SELECT *
    FROM (SELECT address AS current_address, status, unnest(addresses) AS address FROM current_contacts)
    WHERE address <> current_address
),
-- Another contact has this address now, so the address has its own status.
taken AS (
    SELECT s.address
    FROM stored s
    SEMI JOIN candidates c ON c.address = s.address
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
    )
FROM candidates
WHERE address NOT IN (SELECT address FROM taken) AND address NOT IN (SELECT address FROM not_subscribed)
GROUP BY address;

-- name: keep_status
-- A person is not subscribed under the former address of a contact that is not subscribed.
INSERT INTO not_subscribed BY NAME
SELECT address, status FROM changed_addresses WHERE status NOT IN ('subscribed', 'transactional');

-- name: people
-- People of the segments whose contact has another address.
SELECT count(*) FROM changes JOIN changed_addresses USING (address) WHERE kind = 'kept';
