"""The two files that configure a local app: host.json and local.settings.json.

A setting comes from the environment, then from local.settings.json, then (with --settings sample)
from local.settings.sample.json. Settings of the environment are not changed.
https://learn.microsoft.com/azure/azure-functions/functions-host-json
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devhost.functions import StartError

SETTINGS_FILES = {
    "none": (),
    "local": ("local.settings.json",),
    "sample": ("local.settings.json", "local.settings.sample.json"),
}


@dataclass(frozen=True)
class QueueOptions:
    """host.json `extensions.queues`; times in seconds."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    visibility_timeout: float = 0.0
    max_dequeue_count: int = 5
    # The host's own default while developing; a minute in the cloud.
    max_polling_interval: float = 2.0
    base64: bool = True


@dataclass(frozen=True)
class HostOptions:
    """The options of host.json that this host uses."""

    route_prefix: str
    queues: QueueOptions


def read_host_json(app_dir: Path) -> HostOptions:
    """The options of an app, with the defaults of the host.

    Raises:
        StartError: no readable host.json, or a value out of its range.
    """
    content = _read_json(app_dir / "host.json")
    extensions = content.get("extensions", {})
    prefix = str(extensions.get("http", {}).get("routePrefix", "api")).strip("/")
    given = extensions.get("queues", {})
    batch_size = int(given.get("batchSize", 16))
    if not 1 <= batch_size <= 32:
        msg = f"host.json: queues.batchSize must be 1 to 32, not {batch_size}."
        raise StartError(msg)
    defaults = QueueOptions()
    queues = QueueOptions(
        batch_size=batch_size,
        new_batch_threshold=int(given.get("newBatchThreshold", batch_size // 2)),
        visibility_timeout=seconds(given.get("visibilityTimeout", "00:00:00")),
        max_dequeue_count=int(given.get("maxDequeueCount", defaults.max_dequeue_count)),
        max_polling_interval=seconds(
            given.get("maxPollingInterval", defaults.max_polling_interval)
        ),
        base64=str(given.get("messageEncoding", "base64")).lower() == "base64",
    )
    return HostOptions(prefix, queues)


def seconds(span: str | float) -> float:
    """A .NET TimeSpan ("00:02:00", "1.00:00:00") in seconds; a number is milliseconds, as there.

    Raises:
        StartError: it is neither of these.
    """
    if isinstance(span, int | float):
        return span if isinstance(span, float) else span / 1000
    found = re.fullmatch(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)", span)
    if not found:
        msg = f"host.json: {span!r} is not a time span such as 00:02:00."
        raise StartError(msg)
    days, hours, minutes, rest = found.groups(default="0")
    return int(days) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(rest)


def fill_settings(environment: MutableMapping[str, str], app_dir: Path, files: str) -> None:
    """Add the settings of the local files (one of `SETTINGS_FILES`) to an environment.

    Raises:
        StartError: a file is not JSON, or is encrypted.
    """
    for name in SETTINGS_FILES[files]:
        path = app_dir / name
        if not path.exists():
            continue
        content = _read_json(path)
        if content.get("IsEncrypted"):
            msg = f"{name} is encrypted; only Core Tools can read it (func settings decrypt)."
            raise StartError(msg)
        for key, value in content.get("Values", {}).items():
            environment.setdefault(key, str(value))


def resolve(text: str, settings: Mapping[str, str], where: str) -> str:
    """Replace each `%NAME%` by the setting of that name.

    Raises:
        StartError: the setting is missing; the message names it and where it is used.
    """

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if not settings.get(name):
            msg = f"The setting {name} is missing; {where} needs it."
            raise StartError(msg)
        return settings[name]

    return re.sub(r"%([^%]+)%", value, text)


def connection_string(name: str, settings: Mapping[str, str], where: str) -> str:
    """The connection string that a binding's `connection` names.

    Raises:
        StartError: it is missing, or given in the identity form, which this host cannot use.
    """
    value = settings.get(name) or settings.get(f"AzureWebJobs{name}")
    if value:
        return value
    if any(key.startswith(f"{name}__") for key in settings):
        msg = f"{name} is set in its identity form; this host needs a connection string."
        raise StartError(msg)
    msg = f"The setting {name} (a storage connection string) is missing; {where} needs it."
    raise StartError(msg)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError as error:
        msg = f"{path.name} is missing in {path.parent}."
        raise StartError(msg) from error
    except ValueError as error:
        msg = f"{path.name} is not valid JSON: {error}."
        raise StartError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path.name} must contain a JSON object."
        raise StartError(msg)
    return content
