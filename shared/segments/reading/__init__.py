"""Read the content of files.

reader.py loads the rows of a segment: unpack.py makes UTF-8 of a file, layout.py finds its columns, and fast_csv.py,
exact_csv.py or parquet.py reads its rows. header.py reads the beginning of a file only, and count_rows.py counts rows.
"""
