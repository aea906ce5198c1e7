"""From a partition's `location` to a blob of our own container, or to a refusal.

A location is text from a file that others write. It is never requested: it is taken apart, the
account and the container are compared with the landing container's own address, and only the blob
name is used. Customer Insights may write the account's blob or dfs address, so both count as ours;
an address without account (a relative name) is looked up beside its `model.json`.
https://learn.microsoft.com/common-data-model/model-json#partition
"""

from __future__ import annotations

import re
from typing import NoReturn
from urllib.parse import unquote, urlsplit

from shared.errors import ConfigError

__all__ = ["blob_name"]

_MAX_LENGTH = 8_192
_MAX_BLOB_NAME = 1_024
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_STORAGE_HOST = re.compile(
    r"(?P<account>[a-z0-9]{3,24}(?:-secondary)?)(?P<zone>\.z[0-9]{1,3})?"
    r"\.(?:blob|dfs)\.(?P<suffix>(?:storage\.azure\.net|core\.[a-z.]+))"
)


def blob_name(location: str, container_url: str, model_blob: str, where: str) -> str:
    """The name of the blob that `location` means.

    `container_url` is the address of the landing container, `model_blob` the blob name of the
    `model.json` that lists the location. `where` (entity and partition) is named in the
    ConfigError for everything that is not plainly a blob of this container.
    """
    text = location.strip()
    if not text or len(text) > _MAX_LENGTH or "\\" in text or _CONTROL.search(text):
        _refuse("is not a usable address", where)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        _refuse("is not a usable address", where)
    if not parts.scheme and not parts.netloc:
        folder = model_blob.rpartition("/")[0]
        path = _decoded(parts.path, where)
        if path.startswith("/"):
            _refuse("is neither an address nor a relative name", where)
        return _checked(f"{folder}/{path}" if folder else path, where)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        _refuse("is not an http address", where)
    if parts.username is not None or parts.password is not None or parts.fragment:
        _refuse("carries more than an address", where)
    ours = urlsplit(container_url)
    if parts.scheme != ours.scheme or _port(parts.scheme, port) != _port(ours.scheme, ours.port):
        _refuse("is not in the landing account", where)
    if _host(parts.hostname) != _host(ours.hostname or ""):
        _refuse("is not in the landing account", where)
    # The container is compared as it is written: no encoding can smuggle a slash into it.
    prefix = unquote(ours.path).rstrip("/") + "/"
    if not parts.path.startswith(prefix):
        _refuse("is not in the landing container", where)
    return _checked(_decoded(parts.path[len(prefix) :], where), where)


def _decoded(path: str, where: str) -> str:
    """The path with percent-encoding taken off, once; encoded separators are refused."""
    if re.search(r"%(?:2f|5c|25(?:2f|5c|2e))", path, re.IGNORECASE):
        _refuse("has an encoded separator", where)
    if re.search(r"%(?![0-9a-f]{2})", path, re.IGNORECASE):
        # Written without encoding: a name with a plain percent sign is taken as it stands.
        return path
    try:
        return unquote(path, errors="strict")
    except UnicodeDecodeError:
        _refuse("is not UTF-8", where)


def _checked(name: str, where: str) -> str:
    segments = name.split("/")
    if not name or len(name) > _MAX_BLOB_NAME or _CONTROL.search(name) or "\\" in name:
        _refuse("is not a usable blob name", where)
    if any(segment in {"", ".", ".."} for segment in segments):
        _refuse("leaves its folder", where)
    return name


def _host(host: str) -> str:
    """One name for an account's blob and dfs host; other hosts stand for themselves."""
    host = host.casefold().rstrip(".")
    known = _STORAGE_HOST.fullmatch(host)
    if known is None:
        return host
    return f"{known['account']}{known['zone'] or ''}.{known['suffix']}"


def _port(scheme: str, port: int | None) -> int:
    return port or (443 if scheme == "https" else 80)


def _refuse(what: str, where: str) -> NoReturn:
    msg = f"The location of {where} {what}."
    raise ConfigError(msg, code="locationRefused", values={"place": where}) from None
