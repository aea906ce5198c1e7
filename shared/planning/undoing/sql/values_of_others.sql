-- name: create_people
CREATE OR REPLACE TABLE people_of_others (address VARCHAR);

-- name: add_people
INSERT INTO people_of_others
SELECT address FROM read_parquet($file)
WHERE len(tags) > 0 AND address IN (SELECT address FROM ledger) AND address NOT IN (FROM people_of_others);

-- name: create
-- The people whose values the undo restores, with what the run sent. `before_run` is the run that last
-- wrote the contact before it.
CREATE OR REPLACE TABLE restored_values AS
SELECT
    c.address, from_json(c.fields, '["VARCHAR"]') AS values_before, from_json(l.fields, '["VARCHAR"]') AS values_sent,
    l.merge_tags AS sent_tags, b.run_id AS before_run
FROM changes c JOIN ledger l ON l.address = c.address JOIN before b ON b.address = c.address
WHERE c.kind = 'update' AND c.fields IS NOT NULL AND l.fields IS NOT NULL;

CREATE OR REPLACE TABLE values_of_others (
    address VARCHAR, place BIGINT, run_id VARCHAR, value VARCHAR, instead VARCHAR, keeps BOOLEAN
);

-- name: open_other
CREATE OR REPLACE TABLE other_rows_sent AS
SELECT address, run_id, merge_tags, from_json(fields, '["VARCHAR"]') AS fields
FROM (FROM (FROM ledger LIMIT 0) UNION ALL BY NAME FROM read_parquet($file))
WHERE fields IS NOT NULL AND address IN (SELECT address FROM restored_values);

-- name: other_tags
SELECT DISTINCT unnest(merge_tags) FROM (SELECT DISTINCT merge_tags FROM other_rows_sent);

-- name: add
-- The values of another export in one field. `$place` is the place of the field in the mapping. `$theirs` are the tags under which
-- the other export sends the field: a part of an address belongs to its whole field.
-- A value counts if it is newer than the earlier value of this export, or if this export had none. Ids of runs sort newest first.
-- `instead` is the value that the undo sends. It is NULL, and the undo leaves the field alone, if the other export sent its value
-- after the run began, or converts values in another way. `keeps`: then the earlier value, which differs from that of the run, is
-- not restored.
INSERT INTO values_of_others
SELECT
    address, $place, run_id, value,
    CASE WHEN $alike AND run_id >= $undone THEN fields[list_position(merge_tags, $tag)] END AS instead,
    instead IS NULL AND coalesce(value, '') <> coalesce(sent, '')
FROM (
    SELECT
        r.address, r.before_run, r.values_before[$place] AS value,
        r.values_sent[list_position(r.sent_tags, $tag)] AS sent,
        o.run_id, o.merge_tags, o.fields
    FROM restored_values r JOIN other_rows_sent o ON o.address = r.address
)
WHERE (has_text(value) OR has_text(sent))
  AND (NOT has_text(value) OR run_id < before_run)
  AND CASE
      WHEN $theirs::VARCHAR[] = [$tag] THEN has_text(fields[list_position(merge_tags, $tag)])
      ELSE list_bool_or(list_transform($theirs::VARCHAR[], lambda tag: has_text(fields[list_position(merge_tags, tag)])))
  END;

-- name: replace
-- The newest value of other exports counts.
CREATE OR REPLACE TABLE replaced_values AS
SELECT address, place, instead, keeps
FROM (FROM values_of_others QUALIFY row_number() OVER (PARTITION BY address, place ORDER BY run_id) = 1)
WHERE instead IS NULL OR instead IS DISTINCT FROM value;

CREATE OR REPLACE TABLE send_lines AS
SELECT
    s.* REPLACE (
        CASE
            WHEN r.places IS NULL THEN s.fields
            ELSE to_json(list_transform(
                from_json(s.fields, '["VARCHAR"]'),
                lambda value, place: CASE
                    WHEN list_contains(r.places, place) THEN r.instead[list_position(r.places, place)]
                    ELSE value
                END
            ))::VARCHAR
        END AS fields
    )
FROM send_lines s LEFT JOIN (
    SELECT address, list(place ORDER BY place) AS places, list(instead ORDER BY place) AS instead
    FROM replaced_values
    GROUP BY address
) r ON r.address = s.address
ORDER BY s.kind, s.address;

-- name: keeping
SELECT count(DISTINCT address) FROM replaced_values WHERE keeps;
