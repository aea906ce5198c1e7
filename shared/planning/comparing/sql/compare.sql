-- name: tagsets
CREATE TABLE IF NOT EXISTS failed (address VARCHAR, customer_id VARCHAR);

CREATE OR REPLACE TABLE segment_tags AS
SELECT unnest(range(len($tag_ids::BIGINT[])))::INTEGER AS segment, unnest($tag_ids::BIGINT[]) AS tag_id;

CREATE OR REPLACE TABLE tagsets AS
SELECT
    row_number() OVER (ORDER BY mask) - 1 AS tagset,
    mask,
    list_sort(list(DISTINCT t.tag_id)) AS tags,
    list(t.segment::BIGINT ORDER BY t.segment) AS segments
FROM (SELECT DISTINCT mask FROM people UNION SELECT DISTINCT mask FROM shared) m
JOIN segment_tags t ON (m.mask >> t.segment) & 1 = 1
GROUP BY mask;

-- name: uncertain
-- A row with a malformed address still identifies its person by id, so the person is in the segment.
CREATE OR REPLACE TABLE protected AS
SELECT r.customer_id, list(DISTINCT t.tag_id) AS tags
FROM rejects r JOIN segment_tags t USING (segment)
WHERE r.customer_id IS NOT NULL AND r.code = 'addressMalformed'
GROUP BY r.customer_id;

-- An unreadable row may be any person of its segment, so no one loses the tag of that segment.
CREATE OR REPLACE TABLE uncertain AS
SELECT coalesce(list(DISTINCT t.tag_id), []) AS tags
FROM rejects r JOIN segment_tags t USING (segment)
WHERE starts_with(r.code, 'row');

-- name: changes
-- The diff rules, for every person of the run and every person of the ledger who still has a tag.
--
--     left         no longer in any segment
--     kept         must not be sent (see consent.sql)
--     rejected     Mailchimp refused the same row before: permanently (tries = 0) or too often
--     not_retried  a retry sends only what failed; this person is new or changed, but did not fail
--     waiting      the run only carries out withdrawals of consent (see withdrawals.sql)
--     add          never accepted by Mailchimp: subscribe, unless the audience has the contact
--     unchanged    values and tags are those that were sent last
--     update       values or tags differ, or the run sends everything
--
-- `fields` are those of people who are sent, and of people with a value that did not fit: the finish
-- counts values (finishing/sql/final_status.sql). The ledger has the others.
-- `tags_to_remove` is independent of the kind: a person who left one segment and is in another is
-- unchanged or updated, and loses the tag of the first.
CREATE OR REPLACE TABLE changes AS
WITH
-- Few rows of the ledger have these columns. In the join of all people they would take memory for everyone.
refused_or_dropped AS (
    SELECT address, refused, refused_code, refused_field, tries, dropped, field_rules
    FROM ledger
    WHERE refused IS NOT NULL OR dropped IS NOT NULL
),
failed_addresses AS (SELECT DISTINCT address FROM failed WHERE address IS NOT NULL),
failed_ids AS (SELECT DISTINCT customer_id FROM failed WHERE customer_id IS NOT NULL),
joined AS (
    SELECT
        coalesce(p.address, l.address) AS address,
        p.address IS NOT NULL AS in_segment,
        CASE WHEN p.address IS NULL THEN l.customer_id ELSE p.customer_id END AS customer_id,
        p.fields, md5($mapping || p.fields) AS fingerprint,
        s.tagset, s.tags,
        l.fingerprint AS sent, r.refused, r.refused_code, r.refused_field, r.tries, r.dropped,
        -- The merge fields accept other values than they did when the row was refused or a value did not fit.
        coalesce(r.field_rules <> $field_rules, false) AS has_other_rules,
        CASE WHEN len(l.tags) > 0 THEN l.tags END AS carried,
        d.code AS do_not_send,
        coalesce(d.withdrawn, false) AS withdrawn,
        n.status AS contact_status,
        k.tags AS protected_tags, u.tags AS uncertain_tags,
        NOT $retry OR f.address IS NOT NULL OR i.customer_id IS NOT NULL AS to_send
    FROM people p
    FULL JOIN (SELECT address, customer_id, fingerprint, tags FROM ledger) l ON l.address = p.address
    LEFT JOIN refused_or_dropped r ON r.address = coalesce(p.address, l.address)
    LEFT JOIN tagsets s ON s.mask = p.mask
    LEFT JOIN do_not_send d ON d.address = coalesce(p.address, l.address)
    LEFT JOIN not_subscribed n ON n.address = coalesce(p.address, l.address)
    LEFT JOIN protected k ON k.customer_id = l.customer_id
    -- Joins with empty tables cost less than IN.
    LEFT JOIN failed_addresses f ON f.address = coalesce(p.address, l.address)
    LEFT JOIN failed_ids i ON i.customer_id = p.customer_id
    CROSS JOIN uncertain u
),
with_removals AS (
    SELECT
        *,
        -- Most people have the tags of their segments, and comparing lists is cheap.
        coalesce(sent = fingerprint AND (carried = tags OR list_has_all(carried, tags)), false)
            AND NOT $everything AND NOT (has_other_rules AND dropped IS NOT NULL) AS is_current,
        CASE
            WHEN carried IS NULL THEN NULL
            WHEN withdrawn THEN carried
            WHEN NOT $remove_tags OR NOT to_send OR carried = tags THEN NULL
            ELSE list_filter(
                carried,
                lambda t: NOT coalesce(list_contains(tags, t), false)
                    AND NOT coalesce(list_contains(protected_tags, t), false)
                    AND NOT list_contains(uncertain_tags, t)
            )
        END AS to_remove
    FROM joined
),
-- In a subquery, because DuckDB plans an alias again wherever it is used.
with_kind AS (
    SELECT
        *,
        CASE
            WHEN NOT in_segment THEN 'left'
            WHEN do_not_send IS NOT NULL THEN 'kept'
            WHEN NOT $ask_again AND refused = fingerprint AND (tries = 0 OR tries >= $max_tries)
                AND NOT (has_other_rules AND refused_code IN ('fieldRefused', 'fieldRequired'))
                THEN 'rejected'
            WHEN NOT to_send AND NOT is_current THEN 'not_retried'
            WHEN sent IS NULL THEN 'add'
            -- People who failed are sent although nothing changed: they may have failed in a full run.
            WHEN is_current AND NOT ($retry AND to_send) THEN 'unchanged'
            ELSE 'update'
        END AS kind
    FROM with_removals
    WHERE in_segment OR len(to_remove) > 0
)
SELECT
    address, customer_id, tagset, contact_status, withdrawn, kind,
    CASE kind
        WHEN 'kept' THEN do_not_send
        WHEN 'rejected' THEN refused_code
        WHEN 'unchanged' THEN CASE WHEN dropped IS NOT NULL THEN 'valueDropped' END
    END AS code,
    CASE kind WHEN 'unchanged' THEN dropped WHEN 'rejected' THEN refused_field END AS field,
    CASE
        WHEN kind IN ('add', 'update') OR (kind = 'unchanged' AND dropped IS NOT NULL) THEN fields
    END AS fields,
    CASE WHEN kind IN ('add', 'update') THEN fingerprint END AS fingerprint,
    CASE WHEN len(to_remove) > 0 THEN to_remove END AS tags_to_remove
FROM with_kind;

-- Lists for a million people take 50 MB of memory, and `tagset` identifies them.
CREATE OR REPLACE VIEW stored_changes AS
SELECT c.*, t.mask, t.segments, t.tags FROM changes c LEFT JOIN tagsets t USING (tagset);

-- name: counts
SELECT
    count(*) FILTER (kind <> 'left'),
    count(*) FILTER (kind = 'add'),
    count(*) FILTER (kind = 'update'),
    count(*) FILTER (kind = 'unchanged'),
    -- Changes of the contact itself are not the loss of a tag.
    count(*) FILTER (len(list_filter(tags_to_remove, lambda t: NOT list_contains($contact_tags::BIGINT[], t))) > 0),
    count(*) FILTER (kind = 'kept'),
    count(*) FILTER (kind = 'rejected'),
    (SELECT count(*) FROM rejects WHERE code = 'erased'),
    (SELECT count(*) FROM rejects WHERE code <> 'erased'),
    (SELECT count(*) FROM shared)
FROM changes;

-- name: members
-- The people of each segment, how many are not subscribed, and how many are reached.
SELECT
    segment, sum(people)::BIGINT, sum(not_subscribed)::BIGINT, sum(reached)::BIGINT
FROM (
    SELECT
        unnest(t.segments) AS segment,
        count(*) AS people,
        count(*) FILTER (kind = 'kept' OR contact_status IS NOT NULL) AS not_subscribed,
        count(*) FILTER (kind IN ('add', 'update', 'unchanged', 'not_retried', 'waiting')) AS reached
    FROM changes JOIN tagsets t USING (tagset)
    WHERE kind <> 'left'
    GROUP BY t.segments
)
GROUP BY segment;

-- name: tagset_segments
SELECT segments FROM tagsets ORDER BY tagset;
