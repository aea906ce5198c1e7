-- name: candidates
CREATE OR REPLACE TEMP TABLE candidates AS SELECT unnest($addresses::VARCHAR[]) AS address;

-- name: erased
SELECT address FROM erased_addresses;
