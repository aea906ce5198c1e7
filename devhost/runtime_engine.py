"""Runs an app with `azure-functions-runtime`, the library with which Azure itself runs it.

Indexing, type checks, conversion, Context, outputs and threads are then those of Azure. It exists
for Python 3.13 and later. `native_invocation` is not documented, so the version is pinned
in requirements.in and a contract test runs the same app on both engines.
https://github.com/Azure/azure-functions-python-worker
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from azure.functions.meta import Datum

from devhost.functions import Answer, Function, InvocationFailed, StartError, function_from_raw

SUCCESS = 1


class _Messages:
    """Replaces the worker's protobuf module: every message is a plain namespace."""

    BindingInfo = type("BindingInfo", (SimpleNamespace,), {"inout": 2, "out": 1, "undefined": None})
    StatusResult = type("StatusResult", (SimpleNamespace,), {"Success": 1, "Failure": 0})

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace


class RuntimeEngine:
    """An app loaded into Microsoft's worker library, in this process; one per process."""

    def __init__(self, app_dir: Path) -> None:
        try:
            from azure_functions_runtime import handle_event, native_invocation
            from azure_functions_runtime.utils.threadpool import start_threadpool_executor
            from azure_functions_runtime.version import VERSION
        except ImportError as error:
            msg = "azure-functions-runtime is not installed here; it needs Python 3.13 or newer."
            raise StartError(msg) from error
        self.label = f"azure-functions-runtime {VERSION}"
        self._native = native_invocation
        self._loop = asyncio.new_event_loop()
        sys.path.insert(0, str(app_dir))
        os.chdir(app_dir)
        start_threadpool_executor()
        # On the main thread, as in the cloud: only there can an app listen for signals.
        self.functions = self._loop.run_until_complete(self._load(handle_event, app_dir))
        threading.Thread(target=self._loop.run_forever, name="async functions", daemon=True).start()

    async def _load(self, events: Any, app_dir: Path) -> tuple[Function, ...]:
        request = SimpleNamespace(
            request=SimpleNamespace(
                worker_init_request=SimpleNamespace(
                    capabilities={}, function_app_directory=str(app_dir)
                )
            ),
            properties={"host": "127.0.0.1", "protos": _Messages()},
        )
        answer = await events.worker_init_request(request)
        if answer.result.status != SUCCESS:
            problem = answer.result.exception
            msg = f"The app cannot be loaded: {problem.message}\n{problem.stack_trace}"
            raise StartError(msg)
        found = await events.functions_metadata_request(SimpleNamespace())
        return tuple(
            function_from_raw(one.name, one.function_id, one.raw_bindings)
            for one in found.function_metadata_results or ()
        )

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def invoke(
        self, function: Function, invocation_id: str, data: Datum, metadata: Mapping[str, Datum]
    ) -> Answer:
        """Run one function; see `devhost.functions.Engine`."""
        call = (invocation_id, function.id, [(function.trigger.name, data)], dict(metadata))
        handled, ok, returned, outputs, error, _ = self._native.run_invocation_sync(*call)
        if not handled:  # an async function
            ok, returned, outputs, error, _ = self._wait(
                self._native.invocation_request_native(*call)
            )
        if not ok:  # the library has logged the traceback
            msg = str(error).partition("(")[0]
            raise InvocationFailed(msg)
        return Answer(returned, dict(outputs))
