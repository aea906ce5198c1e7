-- name: read
CREATE OR REPLACE TABLE cdm_rows AS
SELECT * FROM read_csv(
    $file, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', columns = $columns
);

-- name: write
COPY cdm_rows TO $file (FORMAT csv, HEADER true, FORCE_QUOTE *);
