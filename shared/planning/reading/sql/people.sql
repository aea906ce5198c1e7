-- name: create
-- The name of a file has about 60 characters and is in every row, so a row has its number in an ENUM. The names are in
-- alphabetical order, so numbers are in the order of names.
DROP TABLE IF EXISTS segment_rows;
DROP TABLE IF EXISTS normalized_rows;
DROP TYPE IF EXISTS file_name;
CREATE TYPE file_name AS ENUM (SELECT unnest($files::VARCHAR[]) AS name ORDER BY name);
CREATE TABLE normalized_rows (
    segment UTINYINT, file file_name, line BIGINT, customer_id VARCHAR, address VARCHAR,
    consent BOOLEAN, fields VARCHAR, code VARCHAR, email VARCHAR
);
CREATE OR REPLACE MACRO matches_address(text) AS
    strlen(text) BETWEEN 1 AND 254
    AND strpos(text, '@') <= 65
    AND regexp_full_match(
        text,
        '[A-Za-z0-9!#$%&''*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&''*+/=?^_`{|}~-]+)*'
        '@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+'
        '[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])'
    );

-- name: add_segment
-- From `segment_rows`, as the reader appends a segment (file, line, c0, c1 ...): c0 is the address,
-- c1 the profile id (the address again where the segment has none), then come the mapped attributes,
-- and last the consent attribute where the export names one. Empty cells are NULL.
--
-- The address rule is that of fields/address.py (a test compares them): plain ASCII, one @, at most
-- 64 characters before it and 254 in total, no dot at an edge or twice in a row, labels of letters,
-- digits and inner hyphens, a last label that begins with a letter.
-- Most addresses have nothing to trim, so they are compared with the rule before they are trimmed.
-- A row that has the names of its columns as values is a header that is repeated, as in files that were
-- joined. It has no usable address, so no row of a person is taken for one.
-- Only the beginning of a long cell is read, so a profile id of more than 500 bytes is ignored: two
-- of them could look the same.
INSERT INTO normalized_rows
SELECT
    $segment, file, line,
    CASE WHEN $has_key AND strlen(customer_id) <= 500 THEN customer_id END,
    CASE WHEN usable THEN lower(given) END,
    consent,
    fields,
    CASE
        WHEN given = '' THEN 'addressMissing'
        WHEN usable THEN NULL
        WHEN
            lower(given) = lower($email_name)
            AND (NOT $has_key OR coalesce(lower(trim(customer_id, $blanks)) = lower($key_name), false))
            AND lower(fields) = lower($field_names)
            THEN 'headerRepeated'
        ELSE 'addressMalformed'
    END,
    CASE WHEN NOT usable THEN left(email, 300) END
FROM (
    SELECT *, CASE WHEN is_address THEN true ELSE matches_address(given) END AS usable
    FROM (
        SELECT
            file, line, c0 AS email, c1 AS customer_id, is_address,
            CASE WHEN is_address THEN c0 ELSE trim(coalesce(c0, ''), $blanks) END AS given,
            CASE $consent
                -- Only an explicit yes is consent.
                WHEN 'yesMayBeMailed' THEN coalesce(list_contains($allow::VARCHAR[], answer), false)
                -- Only an explicit no, or an empty value, is not an objection.
                WHEN 'yesMustNotBeMailed' THEN coalesce(list_contains($allow::VARCHAR[], answer), true)
                ELSE true
            END AS consent,
            to_json(cells[3:$fields + 2])::VARCHAR AS fields
        FROM (
            SELECT
                *,
                coalesce(matches_address(c0), false) AS is_address,
                CASE WHEN $consent <> '' THEN nullif(lower(trim(cells[-1], $blanks)), '') END AS answer
            FROM (SELECT *, list_value(*COLUMNS('^c[0-9]+$')) AS cells FROM segment_rows)
        )
    )
);

-- name: people
-- Temporary disk is small in the cloud, so tables that are not needed any more are dropped.
DROP TABLE IF EXISTS segment_rows;

-- One person for each address. The profile with the lowest id is chosen (so that the choice is the same
-- in every run), then the segment that the export lists first, then the first row of its file.
-- Most addresses have one row, and need no choice.
CREATE OR REPLACE TABLE repeated AS
SELECT address FROM normalized_rows WHERE address IS NOT NULL GROUP BY address HAVING count(*) > 1;

CREATE OR REPLACE TABLE addresses AS
SELECT
    address,
    bit_or(1::HUGEINT << segment) AS mask,
    arg_min(rowid, (coalesce(customer_id, ''), segment, file, line)) AS chosen_row,
    count(*) AS row_count,
    min(customer_id) AS lowest_id,
    max(customer_id) AS highest_id
FROM normalized_rows SEMI JOIN repeated USING (address)
GROUP BY address;

CREATE OR REPLACE TABLE people AS
SELECT address, customer_id, 1::HUGEINT << segment AS mask, fields, consent
FROM normalized_rows ANTI JOIN repeated USING (address)
WHERE address IS NOT NULL
UNION ALL
SELECT a.address, r.customer_id, a.mask, r.fields, r.consent
FROM addresses a JOIN normalized_rows r ON r.rowid = a.chosen_row;

-- Profiles for whose address the row of another profile was chosen, once each.
CREATE OR REPLACE TABLE shared AS
WITH
-- Addresses with rows of several profiles, or with several rows of one segment.
with_other_rows AS (
    SELECT address, chosen_row FROM addresses
    WHERE lowest_id <> highest_id OR row_count > bit_count(mask)
),
profiles AS (
    SELECT
        r.address, r.customer_id, 1::HUGEINT << r.segment AS mask, r.rowid = w.chosen_row AS is_chosen,
        -- Rows without an id are one profile each.
        coalesce('id ' || r.customer_id, 'row ' || row_number() OVER (
            PARTITION BY r.address, r.segment, r.customer_id ORDER BY r.file, r.line
        )) AS profile
    FROM normalized_rows r JOIN with_other_rows w USING (address)
)
SELECT address, any_value(customer_id) AS customer_id, bit_or(mask) AS mask
FROM profiles
GROUP BY address, profile
HAVING NOT bool_or(is_chosen);

-- Rows without an id are profiles of their own, so they are in `shared`.
CREATE OR REPLACE TABLE different_rows AS
SELECT DISTINCT address
FROM normalized_rows
SEMI JOIN (SELECT address FROM addresses WHERE row_count > bit_count(mask)) USING (address)
WHERE customer_id IS NOT NULL
GROUP BY address, customer_id, segment
HAVING count(DISTINCT fields) > 1;

CREATE OR REPLACE TABLE repeated_headers AS
SELECT file::VARCHAR AS file, line FROM normalized_rows WHERE code = 'headerRepeated';

CREATE OR REPLACE TABLE rejects AS
SELECT segment, customer_id, email, file::VARCHAR AS file, line, code FROM normalized_rows
WHERE code <> 'headerRepeated';

-- Most rows are those of `people`, so only the others are kept as well.
CREATE OR REPLACE TABLE rows_not_chosen AS
SELECT r.address, r.customer_id, r.consent
FROM normalized_rows r LEFT JOIN addresses a USING (address)
WHERE r.rowid <> a.chosen_row OR (r.address IS NULL AND r.code <> 'headerRepeated');

CREATE OR REPLACE VIEW source_rows AS
SELECT address, customer_id, consent FROM people
UNION ALL
FROM rows_not_chosen;

DROP TABLE repeated;
DROP TABLE addresses;
DROP TABLE normalized_rows;

-- name: add_unreadable
INSERT INTO rejects
SELECT unnest($segments::UTINYINT[]), NULL, NULL, unnest($files::VARCHAR[]),
    unnest($lines::BIGINT[]), unnest($codes::VARCHAR[]);

-- name: counts
SELECT
    (SELECT count(*) FROM source_rows) AS source_rows,
    (SELECT count(*) FROM people) AS people,
    (SELECT coalesce(sum(bit_count(mask)), 0)::BIGINT FROM people) AS memberships;
