"""Makes Python's garbage collector skip the objects that stay for the whole life of a process.

Modules, types and routes are a few hundred thousand objects. A full collection examines all of them, which takes 0.1 s of
processor time, and all threads wait for it (record 63).
https://docs.python.org/3/library/gc.html#gc.freeze
"""

from __future__ import annotations

import gc
from functools import cache


@cache
def skip_loaded_objects() -> None:
    """Skip what is loaded now. Only the first call has an effect: what is loaded later must still be collected.

    A skipped object is still freed when its last reference ends.
    """
    gc.freeze()
