-- name: create
CREATE OR REPLACE TABLE known (address VARCHAR, customer_id VARCHAR, refused_code VARCHAR);
CREATE OR REPLACE TABLE statuses (address VARCHAR, status VARCHAR, since VARCHAR, reason VARCHAR, campaign VARCHAR);

-- name: ledger
INSERT INTO known
SELECT address, customer_id, refused_code FROM read_parquet($file) WHERE customer_id IS NOT NULL;

-- name: statuses
-- A former address that no other contact has counts as the contact.
INSERT INTO statuses
SELECT address, status, since, reason, campaign FROM stored_contacts SEMI JOIN known USING (address)
UNION ALL
SELECT address, status, since, reason, campaign
FROM (
    SELECT unnest(former) AS address, status, since, reason, campaign
    FROM stored_contacts
    WHERE len(former) > 0
)
SEMI JOIN known USING (address)
ANTI JOIN (SELECT address FROM stored_contacts) AS present USING (address);

-- name: candidates
CREATE OR REPLACE TEMP VIEW candidates AS SELECT address FROM known;

-- name: erased
DELETE FROM known WHERE address IN (SELECT address FROM erased_addresses);

-- name: mailchimp_consent
-- One row for each profile. A person who decided under one address decided for all of their addresses (see
-- planning/selecting/sql/consent.sql): they unsubscribed, or were asked to confirm. Without such a decision, an
-- address that is subscribed counts, because a bounced or archived address may have been replaced.
CREATE OR REPLACE TABLE mailchimp_consent AS
WITH addresses AS (
    SELECT
        k.customer_id,
        coalesce(s.status, 'absent') AS status,
        coalesce(s.since, '') AS since,
        coalesce(s.reason, if(s.status IS NULL, k.refused_code, NULL), '') AS reason,
        coalesce(s.campaign, '') AS campaign
    FROM known k LEFT JOIN statuses s USING (address)
),
strictest AS (
    SELECT
        customer_id,
        min(struct_pack(
            strictness := CASE
                WHEN status = 'unsubscribed' OR reason IN ('forgotten', 'complianceState') THEN 1
                WHEN status = 'pending' THEN 2
                WHEN status = 'subscribed' THEN 3
                WHEN status = 'transactional' THEN 4
                WHEN status = 'cleaned' THEN 5
                WHEN status = 'archived' THEN 6
                ELSE 7
            END,
            since := since, status := status, reason := reason, campaign := campaign
        )) AS one
    FROM addresses
    GROUP BY customer_id
)
SELECT
    concat($audience_id, '-', customer_id) AS MailchimpConsentId, customer_id AS CustomerId,
    $audience_id AS audienceId, $audience_name AS audienceName, one.status AS status,
    replace(one.since, '+00:00', 'Z') AS since, one.reason AS reason,
    one.campaign AS campaignId
FROM strictest;

-- name: write
COPY (FROM mailchimp_consent ORDER BY CustomerId) TO $file (FORMAT csv, HEADER true, FORCE_QUOTE *);

-- name: count
SELECT status, count(*) FROM mailchimp_consent GROUP BY status ORDER BY status;

-- name: remove_profiles
DELETE FROM cdm_rows WHERE list_contains($customers::VARCHAR[], CustomerId);
