-- name: create
CREATE OR REPLACE TABLE taken_over (address VARCHAR, tag_id BIGINT);

-- name: add
INSERT INTO taken_over SELECT unnest($addresses::VARCHAR[]), $tag_id;

-- name: write
-- People who are excluded, or do not consent, get nothing back.
FROM taken_over
WHERE address NOT IN (
    SELECT address FROM do_not_send WHERE withdrawn OR code IN ('noConsent', 'excluded')
    UNION
    SELECT address FROM excluded WHERE address IS NOT NULL
);
