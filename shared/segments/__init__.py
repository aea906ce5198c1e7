"""Segments that Customer Insights wrote: which ones exist, which files they have, and their rows.

survey.py finds the segments in a listing of the container: as `model.json` (model_json.py) or a manifest (manifest.py)
describes them, or by the names of their files (folders.py). blob_segments.py pins the files of a run's segments.
reader.py loads them: unpack.py makes UTF-8 of a file, layout.py finds its columns, and fast_csv.py, exact_csv.py or
parquet.py reads its rows. catalogue.py shows people what they can export; described_catalogue.py adds what the
Customer Insights API knows.
"""
