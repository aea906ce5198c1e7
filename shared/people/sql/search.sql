-- A person is searched for by profile if $customer is given, otherwise by address.

-- name: outcome
-- A profile with a new address also has a row for its former one, without segments. Trimming is slow, and
-- few values contain the address.
SELECT segments, outcome, code, email, customer_id
FROM read_parquet($file)
WHERE if(
    $customer <> '',
    customer_id = $customer,
    contains(lower(email), $address) AND lower(trim(email, $blanks)) = $address
)
ORDER BY shared_with IS NOT NULL, line NULLS FIRST, coalesce(len(segments), 0) DESC, email
LIMIT 1;

-- name: ledger
-- After a change of address, a profile has two contacts; with $email, only that one is read.
SELECT
    address, customer_id, tags, fingerprint IS NOT NULL, refused_code, run_id, merge_tags,
    from_json(fields, '["VARCHAR"]')
FROM read_parquet($file)
WHERE if($customer <> '', customer_id = $customer, address = $address)
  AND ($email = '' OR address = $email)
ORDER BY
    fingerprint IS NOT NULL DESC, coalesce(len(tags), 0) DESC, run_id DESC NULLS LAST, address
LIMIT 1;
