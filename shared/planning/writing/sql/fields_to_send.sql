-- name: create
-- The values of an update. A value is emptied in Mailchimp ('') only if the last value that this
-- export sent was not empty. Otherwise null leaves the field unchanged, because someone else may have
-- filled it. `sent_tags` names the merge fields of `sent_fields`: the mapping may have changed.
SET VARIABLE blanks = $blanks;
CREATE OR REPLACE MACRO has_text(value) AS
    coalesce(trim(value, getvariable('blanks')) <> '', false);
CREATE OR REPLACE MACRO fields_to_send(fields, merge_tags, sent_fields, sent_tags) AS
    CASE
        WHEN sent_fields IS NULL OR sent_fields = fields THEN fields
        ELSE to_json(list_transform(
            from_json(fields, '["VARCHAR"]'),
            lambda value, place: CASE
                WHEN has_text(value) THEN value
                WHEN has_text(from_json(sent_fields, '["VARCHAR"]')[
                    list_position(sent_tags, merge_tags[place])
                ]) THEN ''
            END
        ))::VARCHAR
    END;
