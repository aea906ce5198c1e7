-- name: people
-- Every person of the ledger, with what the run changed about them. `known`: the values from before
-- the run are in the ledger, for the merge fields $before_tags, and were sent by the run $mapping_run or with its mapping, whose
-- fingerprint is $mapping: other values may be written in another form. `has_other_fields`: the run also sent fields that had no values
-- before, because the mapping was changed. People whom the run did not change, but a later run of one person did, are left out.
CREATE OR REPLACE MACRO fields_of(merge_tags) AS list_transform(merge_tags, lambda t: split_part(t, '.', 1));
CREATE OR REPLACE TABLE undo_people AS
WITH
changed_by_run AS (
    SELECT email AS address FROM outcomes WHERE outcome IN ('created', 'updated', 'removed')
    UNION
    -- A person who lost one of several tags may have another outcome.
    FROM lost_tags
),
created AS (
    SELECT DISTINCT email AS address FROM outcomes
    WHERE outcome = 'created' AND shared_with IS NULL
),
tags_absent AS (
    SELECT email AS address, tags_absent FROM outcomes WHERE tags_absent IS NOT NULL AND shared_with IS NULL
),
-- Later outcomes count as well: people who withdrew consent or were excluded after the run get nothing back.
-- `decision`: 'withdrawn' or 'excluded'. It applies to all addresses of a person, also to a former one that had lost its tag
-- before the later run read the person.
decisions AS (
    SELECT
        email AS address, customer_id, code = 'withdrawnUnsubscribed' AS unsubscribed,
        CASE WHEN code = 'excluded' THEN 'excluded' ELSE 'withdrawn' END AS decision
    FROM (SELECT email, customer_id, code FROM outcomes UNION ALL FROM later_outcomes)
    WHERE code IN ('consentWithdrawn', 'withdrawnUnsubscribed', 'excluded')
),
decided_customers AS (
    SELECT customer_id, decision FROM decisions WHERE customer_id IS NOT NULL
    UNION
    SELECT l.customer_id, d.decision FROM ledger l JOIN decisions d ON d.address = l.address
    WHERE l.customer_id IS NOT NULL
),
decided AS (
    SELECT address, decision, unsubscribed FROM decisions
    UNION ALL
    SELECT l.address, c.decision, false FROM ledger l JOIN decided_customers c USING (customer_id)
),
withdrawn AS (
    SELECT address, bool_or(unsubscribed) AS unsubscribed FROM decided WHERE decision = 'withdrawn' GROUP BY address
),
-- The second consent rule of a run (consent.sql): who unsubscribed with one address gets nothing under another one.
addresses AS NOT MATERIALIZED (
    SELECT customer_id, address FROM ledger
    UNION ALL
    SELECT customer_id, email FROM outcomes
    UNION ALL
    SELECT customer_id, email FROM later_outcomes
),
refusing_customers AS (
    SELECT DISTINCT customer_id, address
    FROM addresses JOIN address_decisions($new_status) USING (address)
),
refused_elsewhere AS (
    SELECT DISTINCT a.address
    FROM addresses a JOIN refusing_customers c ON c.customer_id = a.customer_id AND c.address <> a.address
),
-- Subscribers that the run archived because no export targeted them any more.
archived AS (SELECT email AS address FROM outcomes WHERE code = 'unusedArchived'),
-- People that the run or a later one excluded, and people on the current list. An address on the list also
-- excludes the other addresses of its person.
excluded_customers AS (
    SELECT unnest($excluded_customers::VARCHAR[]) AS customer_id
    UNION
    SELECT customer_id FROM ledger
    WHERE customer_id IS NOT NULL AND address IN (SELECT unnest($excluded_addresses::VARCHAR[]))
),
excluded AS (
    SELECT address FROM decided WHERE decision = 'excluded'
    UNION
    SELECT unnest($excluded_addresses::VARCHAR[])
    UNION
    SELECT address FROM ledger JOIN excluded_customers USING (customer_id)
),
joined AS (
    SELECT
        l.address, l.customer_id, l.fingerprint,
        b.fields AS fields_before, b.fingerprint AS fingerprint_before,
        coalesce(l.tags, []) AS tags, coalesce(b.tags, []) AS tags_before,
        coalesce(t.tags_absent, []) AS tags_absent,
        c.address IS NOT NULL AS created,
        w.address IS NOT NULL AS withdrawn,
        coalesce(w.unsubscribed, false) AS unsubscribed,
        x.address IS NOT NULL AS excluded,
        r.address IS NOT NULL AS refused_elsewhere,
        n.address IS NOT NULL AS not_subscribed,
        a.address IS NOT NULL AND coalesce(n.status = 'archived', false)
            AND b.fingerprint IS NOT NULL AS is_archived,
        l.fields AS fields_now, l.merge_tags AS tags_of_fields_now,
        coalesce(
            b.fields IS NOT NULL AND b.merge_tags = $before_tags::VARCHAR[]
                AND (a.address IS NOT NULL OR b.run_id = $mapping_run OR b.fingerprint = md5($mapping || b.fields)),
            false
        ) AS known,
        coalesce(known AND NOT list_has_all(fields_of(b.merge_tags), fields_of(l.merge_tags)), false) AS has_other_fields,
        -- The contact may lack the tag of another export that sends it, because someone removed or deleted the tag.
        coalesce(e.others, false) OR l.address IN (FROM people_of_others) AS others,
        coalesce(e.edited, false) AS edited
    FROM ledger l
    LEFT JOIN before b ON b.address = l.address
    LEFT JOIN created c ON c.address = l.address
    LEFT JOIN withdrawn w ON w.address = l.address
    LEFT JOIN archived a ON a.address = l.address
    LEFT JOIN excluded x ON x.address = l.address
    LEFT JOIN refused_elsewhere r ON r.address = l.address
    -- Transactional contacts of the ledger are the export's own (consent.sql).
    LEFT JOIN not_subscribed n ON n.address = l.address AND n.status <> 'transactional'
    LEFT JOIN tags_absent t ON t.address = l.address
    LEFT JOIN manual_edits e ON e.address = l.address
    -- Ids of runs sort newest first.
    WHERE l.run_id IS NULL OR l.run_id >= $undone OR l.address IN (SELECT address FROM changed_by_run)
)
SELECT
    *,
    fingerprint IS DISTINCT FROM fingerprint_before AS was_sent,
    list_filter(tags, lambda t: NOT list_contains(tags_before, t)
        AND list_contains($existing::BIGINT[], t)) AS tags_added,
    -- Someone had removed a tag from the contact before the run.
    list_filter(tags_before, lambda t: NOT list_contains(tags, t) AND NOT list_contains(tags_absent, t)
        AND list_contains($existing::BIGINT[], t)) AS tags_removed
FROM joined;

-- name: changes
-- The undo rules. Tags that the run gave are removed and tags that it removed are given back; values
-- that it changed get their earlier value. A person can be restored only if the person
--   - is subscribed,
--   - did not withdraw consent in the run or a later one,
--   - was not excluded by the run or a later one, and is not on the current list,
--   - did not unsubscribe with another address.
-- Values are restored only if they are known from before the run and the person was not edited in Mailchimp since.
-- `fields` of other restored people are NULL: they get their tags only.
-- Contacts that the run archived as unused are added again as subscribers, because the person who undoes the run decides
-- this. Contacts of people who are excluded, withdrew consent or unsubscribed with another address stay archived.
-- People that the run created lose all tags of the export. They are archived if that was requested
-- and no one else gave them a tag; in a list of tags, `$archive_tag` means archiving.
CREATE OR REPLACE TABLE changes AS
WITH
with_decisions AS (
    SELECT
        *,
        known AND NOT edited AS has_values,
        withdrawn OR excluded OR refused_elsewhere AS gets_nothing,
        NOT created AND NOT not_subscribed AND NOT gets_nothing
            AND ((was_sent AND has_values) OR len(tags_removed) > 0) AS restored,
        is_archived AND NOT gets_nothing AS returned,
        list_concat(
            CASE
                WHEN created THEN list_filter(tags, lambda t: list_contains($existing::BIGINT[], t))
                ELSE tags_added
            END,
            CASE
                WHEN $archive AND created AND NOT not_subscribed AND NOT others
                    THEN [$archive_tag::BIGINT]
                ELSE []
            END
        ) AS to_remove
    FROM undo_people
),
sets AS (
    SELECT tags_removed, row_number() OVER (ORDER BY tags_removed) - 1 AS tagset
    FROM (SELECT DISTINCT tags_removed FROM with_decisions WHERE restored OR returned)
)
SELECT
    d.address, d.customer_id, NULL::HUGEINT AS mask, s.tagset,
    CASE
        WHEN restored OR returned THEN list_filter(range(len($run_tags::BIGINT[])),
            lambda i: list_contains(d.tags_before, ($run_tags::BIGINT[])[i + 1]))
    END AS segments,
    CASE
        WHEN returned AND NOT known
            THEN to_json(list_transform($merge_tags::VARCHAR[], lambda _: NULL::VARCHAR))::VARCHAR
        WHEN NOT (returned OR has_values) THEN NULL
        WHEN $before_tags::VARCHAR[] = $merge_tags::VARCHAR[] THEN d.fields_before
        -- The values of the run in fields that had none before stay known to the ledger, so that a later run can empty them.
        ELSE to_json(list_transform(
            $merge_tags::VARCHAR[],
            lambda tag: CASE
                WHEN list_contains($before_tags::VARCHAR[], tag)
                    THEN from_json(d.fields_before, '["VARCHAR"]')[list_position($before_tags::VARCHAR[], tag)]
                ELSE from_json(d.fields_now, '["VARCHAR"]')[list_position(d.tags_of_fields_now, tag)]
            END
        ))::VARCHAR
    END AS fields,
    d.fingerprint_before AS fingerprint,
    CASE WHEN returned THEN 'archived' END AS contact_status, false AS withdrawn,
    CASE WHEN returned THEN 'add' WHEN restored THEN 'update' ELSE 'left' END AS kind,
    NULL::VARCHAR AS code, NULL::VARCHAR AS field,
    d.tags_removed AS tags,
    CASE WHEN len(to_remove) > 0 THEN to_remove END AS tags_to_remove
FROM with_decisions d LEFT JOIN sets s ON (restored OR returned) AND s.tags_removed = d.tags_removed
WHERE restored OR returned OR len(to_remove) > 0;
CREATE OR REPLACE VIEW stored_changes AS FROM changes;

CREATE OR REPLACE TABLE tagsets AS
SELECT DISTINCT tagset, NULL::HUGEINT AS mask, tags, []::BIGINT[] AS segments
FROM changes
WHERE tagset IS NOT NULL
ORDER BY tagset;

CREATE OR REPLACE TABLE rejects (
    segment UTINYINT, customer_id VARCHAR, email VARCHAR, file VARCHAR, line BIGINT, code VARCHAR
);
CREATE OR REPLACE TABLE shared (address VARCHAR, customer_id VARCHAR, mask HUGEINT);

-- name: counts
SELECT
    count(*) FILTER (kind = 'add'), count(*) FILTER (kind = 'update'),
    count(*) FILTER (tags_to_remove IS NOT NULL)
FROM changes;

-- name: not_undone
-- The number of people for each kind of thing that the undo does not change.
SELECT
    count(*) FILTER (created AND (not_subscribed OR NOT $archive)),
    count(*) FILTER (
        NOT created AND was_sent AND fingerprint IS NOT NULL AND (NOT known OR has_other_fields) AND NOT not_subscribed
    ),
    count(*) FILTER (NOT created AND not_subscribed AND NOT is_archived AND NOT withdrawn AND changed),
    count(*) FILTER (NOT created AND NOT not_subscribed AND known AND edited AND was_sent),
    count(*) FILTER ($archive AND created AND NOT not_subscribed AND others),
    -- People, because these decisions apply to all addresses of a person.
    count(DISTINCT person) FILTER (withdrawn AND (changed OR is_archived OR unsubscribed)),
    count(DISTINCT person) FILTER (would_return AND NOT withdrawn AND excluded),
    count(DISTINCT person) FILTER (would_return AND NOT withdrawn AND NOT excluded AND refused_elsewhere)
FROM (
    SELECT
        *,
        coalesce(customer_id, address) AS person,
        was_sent OR len(tags_removed) > 0 AS changed,
        NOT created AND (is_archived OR NOT not_subscribed AND changed) AS would_return
    FROM undo_people
);

-- name: values_before
SELECT
    count(*) FILTER (merge_tags = $merge_tags::VARCHAR[]),
    count(*) FILTER (merge_tags = $others::VARCHAR[] AND merge_tags <> $merge_tags::VARCHAR[])
FROM before;

-- name: leave_other_fields
-- A value stays in a line only if its merge field was in the mapping of the earlier values, and in the mapping that the person was
-- last sent with.
CREATE OR REPLACE TABLE send_lines AS
SELECT
    s.* REPLACE (
        CASE
            WHEN s.kind = 'add' THEN s.fields
            WHEN $before_tags::VARCHAR[] = $merge_tags::VARCHAR[]
                AND coalesce(l.merge_tags = $merge_tags::VARCHAR[], true) THEN s.fields
            ELSE to_json(list_transform(
                from_json(s.fields, '["VARCHAR"]'),
                lambda value, place: CASE
                    WHEN list_contains($before_tags::VARCHAR[], ($merge_tags::VARCHAR[])[place])
                        AND coalesce(list_contains(
                            fields_of(l.merge_tags), split_part(($merge_tags::VARCHAR[])[place], '.', 1)
                        ), true)
                        THEN value
                END
            ))::VARCHAR
        END AS fields
    )
FROM send_lines s LEFT JOIN ledger l ON l.address = s.address
ORDER BY s.kind, s.address;

-- name: tags_before
SELECT tag, count(*) FROM (SELECT unnest(tags) AS tag FROM before) GROUP BY tag;

-- name: keep_before
CREATE OR REPLACE TABLE before AS FROM ledger;

-- name: add_former_holders
-- Contacts that had a tag before the run took it over from others get it back, as if the export had given it. Those of them
-- whom the export does not know become people of the ledger.
CREATE OR REPLACE TABLE had_tags AS
SELECT address, list(DISTINCT tag_id) AS tags FROM read_parquet($file) GROUP BY address;

UPDATE before SET tags = list_distinct(list_concat(coalesce(before.tags, []), h.tags))
FROM had_tags h WHERE h.address = before.address;

INSERT INTO before BY NAME FROM had_tags ANTI JOIN before USING (address);

INSERT INTO ledger BY NAME SELECT address FROM had_tags ANTI JOIN ledger USING (address);

-- name: load_outcomes
-- Outcomes of earlier versions have no `tags_absent`.
CREATE OR REPLACE TABLE outcomes AS
FROM (SELECT NULL::BIGINT[] AS tags_absent LIMIT 0) UNION ALL BY NAME FROM read_parquet($file);
CREATE OR REPLACE TABLE lost_tags (address VARCHAR);
CREATE OR REPLACE TABLE later_outcomes (email VARCHAR, customer_id VARCHAR, code VARCHAR);

-- name: add_lost_tags
INSERT INTO lost_tags SELECT address FROM read_parquet($file) WHERE len(tags_to_remove) > 0;

-- name: add_later_outcomes
-- With the other addresses that people of the ledger have in the later run: they may have unsubscribed with one of them.
INSERT INTO later_outcomes
SELECT email, customer_id, code FROM read_parquet($file) o
WHERE email IS NOT NULL AND (
    code IN ('consentWithdrawn', 'withdrawnUnsubscribed', 'excluded')
    OR (
        customer_id IN (SELECT customer_id FROM ledger)
        AND NOT EXISTS (FROM ledger l WHERE l.address = o.email AND l.customer_id = o.customer_id)
    )
);

-- name: add_planned
-- The changes are needed because an outcome has one code only: if the contact is not subscribed, or the person unsubscribed with
-- another address, the code does not say that the person withdrew consent or was excluded. Among people who are kept and did not
-- withdraw consent, only excluded ones lose tags of their segments.
INSERT INTO later_outcomes
SELECT address, customer_id, CASE WHEN withdrawn THEN 'consentWithdrawn' ELSE 'excluded' END FROM read_parquet($file)
WHERE withdrawn OR (kind = 'kept' AND list_has_any(tags_to_remove, tags));

-- name: tagset_tags
SELECT tags FROM tagsets ORDER BY tagset;
