"""Chooses the engine that runs the app: Azure's worker library if this Python supports it, else the SDK."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from devhost.functions import Engine

KINDS = ("auto", "runtime", "sdk")
THREADS = "PYTHON_THREADPOOL_THREAD_COUNT"
DEFAULT_THREADS = "32"


def load_engine(app_dir: Path, kind: str) -> Engine:
    """Load the app of a folder; synchronous functions share PYTHON_THREADPOOL_THREAD_COUNT threads.

    Raises:
        StartError: the app cannot be imported or indexed, or this engine is not installed.
    """
    threads = int(os.environ.setdefault(THREADS, DEFAULT_THREADS))
    has_runtime = importlib.util.find_spec("azure_functions_runtime") is not None
    if kind == "runtime" or (kind == "auto" and has_runtime):
        from devhost.runtime_engine import RuntimeEngine

        return RuntimeEngine(app_dir)
    from devhost.sdk_engine import SdkEngine

    return SdkEngine(app_dir, threads)
