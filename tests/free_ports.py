"""Free ports that no other process takes before a test uses them.

The system gives ports from 32768 on to connections and to listeners that ask for port 0, of all processes.
So a port that was free a moment ago may be taken. These are below that.
"""

from __future__ import annotations

import os
import random
import socket
from contextlib import suppress

_FIRST = 20_000
_PORTS = 12_000
_MOST_WORKERS = 12
# Two test runs on one machine begin at different ports. The generator of the tests themselves may be seeded.
_random = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    """Return ports on which nothing listens. Workers of one test run get different ones."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _MOST_WORKERS
    size = _PORTS // _MOST_WORKERS
    found: list[int] = []
    while len(found) < count:
        port = _FIRST + worker * size + _random.randrange(size)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in found:
                found.append(port)
    return found


def free_port() -> int:
    """Return one free port."""
    return free_ports(1)[0]
