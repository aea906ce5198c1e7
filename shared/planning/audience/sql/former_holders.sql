-- name: create
CREATE OR REPLACE TABLE former_holders (address VARCHAR, tag_id BIGINT);

-- name: add
INSERT INTO former_holders SELECT unnest($addresses::VARCHAR[]), $tag_id;

-- name: write
-- People who are excluded, or do not consent, get nothing back.
FROM former_holders
WHERE address NOT IN (
    SELECT address FROM do_not_send WHERE withdrawn OR code IN ('noConsent', 'excluded')
    UNION
    SELECT address FROM excluded WHERE address IS NOT NULL
);
