"""`python -m tests` runs pytest, so that its closing line is the last one printed.

Python's own teardown is left out: in it, duckdb's bindings report forty lines of "leaks" as soon as
anything (hypothesis, here) still knows one of their types. Nothing is left to do by then: fixtures
have ended what they started.
"""

import os
import sys

import pytest

code = pytest.main(sys.argv[1:])
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
