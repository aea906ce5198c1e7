-- name: create_people
CREATE OR REPLACE TABLE people_of_others (address VARCHAR);

-- name: add_people
INSERT INTO people_of_others
SELECT address FROM read_parquet($file)
WHERE len(tags) > 0 AND address IN (SELECT address FROM ledger) AND address NOT IN (FROM people_of_others);

-- name: create
-- The values that the undo restores and the run had sent, with the place of each in the mapping. `before_run` is the run
-- that wrote the contact before the undone one. A part of an address belongs to its whole field.
CREATE OR REPLACE TABLE restored_values AS
WITH
people AS (
    SELECT
        c.address, from_json(c.fields, '["VARCHAR"]') AS fields, from_json(l.fields, '["VARCHAR"]') AS sent_fields,
        l.merge_tags AS sent_tags, b.run_id AS before_run
    FROM changes c JOIN ledger l ON l.address = c.address JOIN before b ON b.address = c.address
    WHERE c.kind = 'update' AND c.fields IS NOT NULL AND l.fields IS NOT NULL
),
places AS (SELECT unnest($merge_tags::VARCHAR[]) AS tag, unnest(range(1, len($merge_tags::VARCHAR[]) + 1)) AS place)
SELECT
    p.address, t.tag, split_part(t.tag, '.', 1) AS field, t.place, p.before_run,
    p.fields[t.place] AS value, p.sent_fields[list_position(p.sent_tags, t.tag)] AS sent
FROM people p CROSS JOIN places t
WHERE list_contains($before_tags::VARCHAR[], t.tag) AND (has_text(value) OR has_text(sent));

CREATE OR REPLACE TABLE values_of_others (address VARCHAR, tag VARCHAR, field VARCHAR, value VARCHAR, run_id VARCHAR);

-- name: add
-- `value` is NULL if the other export converts the values of the field in another way.
INSERT INTO values_of_others
SELECT address, tag, field, CASE WHEN list_contains($alike::VARCHAR[], tag) THEN value END, run_id
FROM (
    SELECT
        address, run_id, unnest(merge_tags) AS tag, split_part(tag, '.', 1) AS field,
        unnest(from_json(fields, '["VARCHAR"]')) AS value
    FROM (FROM (FROM ledger LIMIT 0) UNION ALL BY NAME FROM read_parquet($file))
    WHERE address IN (SELECT address FROM restored_values)
)
WHERE has_text(value) AND field IN (SELECT field FROM restored_values);

-- name: replace
-- Ids of runs sort newest first. The newest value of another export counts if it is newer than the earlier value of this
-- export, or if this export had none. A value that is newer than the run is there now. `keeps`: the field has the value of the run.
CREATE OR REPLACE TABLE replaced_values AS
SELECT
    r.address, r.place,
    CASE WHEN o.run_id >= $undone AND o.tag = r.tag THEN o.value END AS instead,
    instead IS NULL AND coalesce(r.value, '') <> coalesce(r.sent, '') AS keeps
FROM restored_values r
JOIN (FROM values_of_others QUALIFY row_number() OVER (PARTITION BY address, field ORDER BY run_id, tag) = 1) o
    ON o.address = r.address AND o.field = r.field
WHERE NOT has_text(r.value) OR o.run_id < r.before_run;

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
