-- `candidates` has the addresses, as they are stored, that may belong to erased people; the caller creates
-- it. `erased_addresses` gets those that do.

-- name: mark_no_one
CREATE OR REPLACE TEMP TABLE erased_addresses (address VARCHAR);

-- name: mark_address
-- Trimming is slow, and few values contain the address.
INSERT INTO erased_addresses
SELECT DISTINCT address FROM candidates
WHERE contains(lower(address), $address) AND lower(trim(address, $blanks)) = $address;

-- name: mark_tokens
CREATE OR REPLACE TEMP TABLE erased_addresses AS
SELECT DISTINCT address FROM candidates
WHERE address IS NOT NULL
  AND sha256($outer_pad || unhex(sha256($inner_pad || encode(lower(trim(address, $blanks))))))
      IN (SELECT unnest($tokens::VARCHAR[]));
