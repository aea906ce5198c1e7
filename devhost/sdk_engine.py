"""Runs an app with the converters of the `azure-functions` SDK: for Python 3.11 and 3.12.

It does what the worker in Azure does around the converters (indexing, Context, `Out`, threads), and
`signatures` refuses functions at the start that Azure would refuse.
https://learn.microsoft.com/azure/azure-functions/functions-reference-python
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum

from devhost.functions import Answer, Function, InvocationFailed, StartError, function_from_raw
from devhost.signatures import Signature, checked_signature

LOG = logging.getLogger("devhost.engine")
_local = threading.local()


class _Context(func.Context):
    """The `context` of a function; tracing and retry fields are empty here."""

    def __init__(self, name: str, directory: str, invocation_id: str) -> None:
        self._name, self._directory, self._invocation_id = name, directory, invocation_id

    @property
    def invocation_id(self) -> str:
        return self._invocation_id

    @property
    def thread_local_storage(self) -> Any:
        return _local

    @property
    def function_name(self) -> str:
        return self._name

    @property
    def function_directory(self) -> str:
        return self._directory

    @property
    def trace_context(self) -> Any:
        return SimpleNamespace(trace_parent="", trace_state="", attributes={})

    @property
    def retry_context(self) -> Any:
        return SimpleNamespace(retry_count=0, max_retry_count=0, exception=None)


class _Out(func.Out[Any]):
    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        self._value = val

    def get(self) -> Any:
        return self._value


class SdkEngine:
    """An app loaded with the SDK alone, in this process."""

    def __init__(self, app_dir: Path, threads: int) -> None:
        self.label = f"azure-functions {func.__version__}"
        self._directory = str(app_dir)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="function")
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="async functions", daemon=True).start()
        self._signatures: dict[str, Signature] = {}
        sys.path.insert(0, self._directory)
        os.chdir(app_dir)
        self.functions = tuple(self._index(one) for one in _declared_functions())

    def _index(self, declared: Any) -> Function:
        name = declared.get_function_name()
        function = function_from_raw(name, name, declared.get_raw_bindings())
        self._signatures[name] = checked_signature(declared.get_user_function(), function)
        return function

    def invoke(
        self, function: Function, invocation_id: str, data: Datum, metadata: Mapping[str, Datum]
    ) -> Answer:
        """Run one function; see `devhost.functions.Engine`."""
        signature = self._signatures[function.id]
        try:
            arguments: dict[str, Any] = {
                function.trigger.name: signature.decode(function.trigger, data, metadata)
            }
            outs = {one.name: _Out() for one in function.outputs if one.name != "$return"}
            arguments.update(outs)
            if signature.wants_context:
                arguments["context"] = _Context(function.name, self._directory, invocation_id)
            returned = self._run(signature.call, invocation_id, arguments)
            return Answer(
                signature.encode_return(returned),
                {
                    name: signature.encode_output(name, out.get())
                    for name, out in outs.items()
                    if out.get() is not None
                },
            )
        except Exception as error:
            LOG.exception("%s failed", function.name)
            raise InvocationFailed(type(error).__name__) from error

    def _run(self, call: Any, invocation_id: str, arguments: dict[str, Any]) -> Any:
        if inspect.iscoroutinefunction(call):
            return asyncio.run_coroutine_threadsafe(call(**arguments), self._loop).result()

        def in_thread() -> Any:
            _local.invocation_id = invocation_id
            try:
                return call(**arguments)
            finally:
                _local.invocation_id = None

        return self._pool.submit(in_thread).result()


def _declared_functions() -> list[Any]:
    """The functions that the one FunctionApp of `function_app.py` declares.

    Raises:
        StartError: no such file, an error while importing it, or not exactly one app in it.
    """
    try:
        module = importlib.import_module("function_app")
    except Exception as error:
        msg = f"function_app.py cannot be imported: {error!r}\n{traceback.format_exc()}"
        raise StartError(msg) from error
    apps = [one for one in vars(module).values() if isinstance(one, func.FunctionRegister)]
    if len(apps) != 1:
        msg = f"function_app.py must have exactly one FunctionApp; it has {len(apps)}."
        raise StartError(msg)
    try:
        return list(apps[0].get_functions())
    except ValueError as error:
        msg = f"The app cannot be indexed: {error}"
        raise StartError(msg) from error
