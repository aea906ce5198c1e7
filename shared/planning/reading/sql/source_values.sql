-- name: create
-- A cell without blanks around it. Digits in full width, Arabic and Persian digits, punctuation in full width and other hyphens
-- become ASCII. Invisible characters are deleted, because translate deletes characters without a counterpart.
-- fields/values.py also converts digits of other scripts; with DuckDB, this would take too long.
CREATE OR REPLACE MACRO with_ascii_digits(cell) AS trim(
    CASE
        WHEN strlen(cell) = length(cell) THEN cell
        ELSE translate(
            cell,
            '０１２３４５６７８９٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹－．，／‐‑–−' || chr(173) || chr(1564) || chr(8203) || chr(8206)
                || chr(8207) || chr(8234) || chr(8235) || chr(8236) || chr(8237) || chr(8238) || chr(8288) || chr(8289)
                || chr(8290) || chr(8291) || chr(8292) || chr(8294) || chr(8295) || chr(8296) || chr(8297) || chr(65279),
            '012345678901234567890123456789-.,/----'
        )
    END
);
-- Whether a cell begins like a number or a date: with a digit, a blank or an invisible mark, maybe in full width, and not
-- with a letter, as most texts do. It excludes most cells without the slow expressions.
CREATE OR REPLACE MACRO begins_with_digit(cell) AS
    cell NOT BETWEEN ':' AND chr(127)
    AND (
        cell NOT BETWEEN chr(192) AND chr(8191)
        OR cell BETWEEN chr(1564) AND chr(1565)
        OR cell BETWEEN chr(1632) AND chr(1642)
        OR cell BETWEEN chr(1776) AND chr(1786)
    )
    AND cell NOT BETWEEN chr(12289) AND chr(65278);

-- Whether a cell may be a date with slashes or hyphens, or a number with a point or a comma. CASE evaluates the regular
-- expression only for cells that begin like one.
CREATE OR REPLACE MACRO may_show_form(cell) AS CASE
    WHEN strlen(cell) BETWEEN 2 AND 120 AND begins_with_digit(cell) THEN regexp_matches(cell, '[-/.,－／．，‐‑–−]')
    ELSE false
END;

-- name: may_show_forms
-- For each of the columns $cells, whether `dates` and `numbers` may find anything in it. Reading all columns once is faster
-- than running these two statements for columns of names and other texts.
SELECT coalesce(bool_or(may_show_form(COLUMNS(lambda c: list_contains($cells::VARCHAR[], c)))), false)
FROM segment_rows;

-- name: dates
-- How many dates of the column $cell are clearly day first, clearly month first, and neither. Most values
-- have no slash or hyphen, or not at these positions, and no point at the end, so the slow expressions are not evaluated for them.
SELECT
    count(*) FILTER (a > 12 AND b <= 12),
    count(*) FILTER (b > 12 AND a <= 12),
    count(*) FILTER (a <= 12 AND b <= 12 AND a <> b)
FROM (
    SELECT
        try_cast(nullif(regexp_extract(text, $first, 1), '') AS INTEGER) AS a,
        try_cast(nullif(regexp_extract(text, $second, 1), '') AS INTEGER) AS b
    FROM (
        -- with_ascii_digits is slow for cells that are not ASCII, such as 101동 1203-1호.
        SELECT CASE
            WHEN strlen(cell) = length(cell)
                OR regexp_matches(cell, '^[\pZ\p{Cf}]*\p{Nd}{1,2}\p{Cf}*[/／－‐‑–−.．-]')
            THEN with_ascii_digits(cell)
        END AS text
        FROM (SELECT COLUMNS(lambda c: c = $cell) AS cell FROM segment_rows)
        WHERE strlen(cell) BETWEEN 3 AND 120 AND begins_with_digit(cell)
            AND (
                contains(cell, '/') OR contains(cell, '-') OR contains(cell, '／') OR contains(cell, '－')
                OR contains(cell, '‐') OR contains(cell, '‑') OR contains(cell, '–') OR contains(cell, '−')
                OR ends_with(rtrim(cell), '.') OR ends_with(rtrim(cell), '．')
            )
    )
    WHERE strlen(text) BETWEEN 3 AND 40 AND (text[2] IN ('/', '-') OR text[3] IN ('/', '-') OR ends_with(text, '.'))
);

-- name: numbers
-- How many numbers of the column $cell clearly have a decimal point, clearly have a decimal comma, are like 1.234, and are
-- like 1,234. Only texts with a point or a comma are compared with the slow expressions.
SELECT
    count(*) FILTER (has_point AND NOT has_comma),
    count(*) FILTER (has_comma AND NOT has_point),
    count(*) FILTER (has_point AND has_comma AND contains(text, '.')),
    count(*) FILTER (has_point AND has_comma AND contains(text, ','))
FROM (
    SELECT
        text,
        regexp_full_match(text, $point) AS has_point,
        regexp_full_match(text, $comma) AS has_comma
    FROM (
        SELECT CASE
            WHEN strlen(cell) = length(cell) OR NOT regexp_matches(cell, '\pL') THEN with_ascii_digits(cell)
        END AS text
        FROM (SELECT COLUMNS(lambda c: c = $cell) AS cell FROM segment_rows)
        WHERE strlen(cell) BETWEEN 2 AND 120 AND begins_with_digit(cell)
            AND (contains(cell, '.') OR contains(cell, ',') OR contains(cell, '．') OR contains(cell, '，'))
    )
    WHERE strlen(text) BETWEEN 2 AND 40
);

-- name: consent
-- How many rows there are, how many have a value in the column $cell, and how many of these values are not in $known. The
-- name of the attribute is no value: it is in the headers that joined files repeat.
SELECT
    (SELECT count(*) FROM segment_rows),
    coalesce(sum(number), 0)::BIGINT,
    coalesce(sum(number) FILTER (NOT list_contains($known::VARCHAR[], answer)), 0)::BIGINT
FROM (
    SELECT lower(trim(cell, $blanks)) AS answer, count(*) AS number
    FROM (SELECT COLUMNS(lambda c: c = $cell) AS cell FROM segment_rows)
    GROUP BY ALL
)
WHERE answer NOT IN ('', lower($attribute));

-- name: international
-- Addresses with a domain that is not ASCII. Comparing lengths is cheaper than the expression.
SELECT DISTINCT c0 FROM segment_rows
WHERE strlen(c0) <> length(c0) AND regexp_matches(c0, '@.*[^\x00-\x7F]');

-- name: use_mail_form
UPDATE segment_rows SET c0 = domains.mail
FROM read_json(
    $file, format = 'newline_delimited', columns = {'given': 'VARCHAR', 'mail': 'VARCHAR'}
) domains
WHERE c0 = domains.given;
