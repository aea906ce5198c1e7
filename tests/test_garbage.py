"""Full collections skip what a process has loaded before its first message, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_SKIPPED = """
import gc, weakref
from shared.garbage import skip_loaded_objects

class Node:
    pass

skip_loaded_objects()
skipped = gc.get_freeze_count()
node = Node()
node.itself, gone = node, weakref.ref(node)
del node
skip_loaded_objects()
gc.collect()
print(skipped > 1_000, gc.get_freeze_count() <= skipped, gone() is None)
"""


def test_what_is_made_after_the_first_message_is_still_collected(project: Path) -> None:
    command = [sys.executable, "-c", _SKIPPED]
    found = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True", "True", "True"]
