"""Find the segments and their files in a listing of the container.

survey.py finds them: as `model.json` (model_json.py) or a manifest (manifest.py) describes them, or by the names of
their files (folders.py). blob_events.py says when a new file was written.
"""
