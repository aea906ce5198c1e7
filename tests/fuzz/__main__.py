"""Fuzz from the corpus: `python -m tests.fuzz SECONDS [TARGET ...]` (`make fuzz`).

Inputs that reach new lines of shared/, or show something new, are kept for the time of the run and
fuzzed further; those that break a rule, crash the process or take very long are written into
the corpus as `fault-*`, and the command fails. With `--keep` the interesting ones are written too.
Each target runs in a separate process.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path

from tests.fuzz.loop import work, write
from tests.fuzz.targets import TARGETS


def main(words: list[str]) -> int:
    """Fuzz the named targets, or all, one after the other."""
    keep = "--keep" in words
    words = [word for word in words if word != "--keep"]
    seconds = float(words[0]) if words else 60.0
    failed = False
    for name in words[1:] or list(TARGETS):
        with tempfile.TemporaryDirectory() as folder:
            now = Path(folder) / "now"
            seed = random.SystemRandom().randrange(1 << 32)
            worker = get_context("spawn").Process(
                target=work, args=(name, seconds, keep, seed, str(now))
            )
            worker.start()
            worker.join()
            failed |= worker.exitcode != 0
            if worker.exitcode is not None and worker.exitcode < 0:
                print(f"{name}: the process died ({signal.Signals(-worker.exitcode).name})")
                write(TARGETS[name], "fault", now.read_bytes())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
