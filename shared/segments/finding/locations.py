"""Converts a partition's `location` to a blob name in our own container, or refuses it.

A location is untrusted text and never requested. It is parsed, its account and container are compared with
those of the landing container, and only the blob name is used. Writers may use the blob or the dfs address of the
account, and Hadoop's form of them (`abfss://container@account.dfs.core.windows.net/name`), so all are accepted. A
relative name is looked up beside its `model.json`. If a location can mean several names (`a//b.csv`, `./b.csv`, an
unencoded `#` or `%`), all of them are returned, and the one that exists in the container is used.
https://learn.microsoft.com/common-data-model/model-json#partition
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from shared.errors import ConfigError

_MAX_LENGTH = 8_192
_MAX_BLOB_NAME = 1_024
_MOST_SHOWN = 300
# https://learn.microsoft.com/azure/storage/blobs/data-lake-storage-introduction-abfs-uri
_HADOOP = re.compile(
    r"(?:abfs|wasb)s?://(?P<container>[^/@:]*)@(?P<host>[^/]*)/(?P<name>.*)",
    re.DOTALL | re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_STORAGE_HOST = re.compile(
    r"(?P<account>[a-z0-9]{3,24}(?:-secondary)?)(?P<zone>\.z[0-9]{1,3})?"
    r"\.(?:blob|dfs)\.(?P<suffix>(?:storage\.azure\.net|core\.[a-z.]+))"
)


def blob_names(location: str, container_url: str, model_blob: str, where: str) -> tuple[str, ...]:
    """The blob names that `location` may mean, the likeliest first.

    `container_url` is the address of the landing container, `model_blob` the blob name of the
    `model.json` that lists the location. ConfigError for a location that is not clearly a blob of this
    container; it names `where` (entity and partition), the location and the address of the container.
    """
    text = location.strip()
    try:
        return _names(text, container_url, model_blob)
    except ValueError:
        raise ConfigError(
            "locationRefused", place=where, location=shown(text), expected=shown(container_url)
        ) from None


def shown(location: str) -> str:
    """A location as a message may show it: without a signature or a password, and not too long."""
    plain = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", location).partition("?")[0]
    if not _HADOOP.fullmatch(plain):
        plain = re.sub(r"(?<=//)[^/]*@", "", plain)
    return plain if len(plain) <= _MOST_SHOWN else plain[:_MOST_SHOWN] + "…"


def _names(text: str, container_url: str, model_blob: str) -> tuple[str, ...]:
    if not text or len(text) > _MAX_LENGTH or "\\" in text or _CONTROL.search(text):
        raise ValueError
    ours = urlsplit(container_url)
    if hadoop := _HADOOP.fullmatch(text):
        text = f"{ours.scheme}://{hadoop['host']}/{hadoop['container']}/{hadoop['name']}"
    # A location has no fragment: what looks like one is a name that was not encoded.
    plain = text.replace("#", "%23")
    parts = urlsplit(plain)
    if not parts.scheme and not parts.netloc:
        folder = model_blob.rpartition("/")[0]
        if parts.path.startswith("/"):
            raise ValueError
        return _possible_names(parts.path, f"{folder}/" if folder else "")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError
    if parts.username is not None or parts.password is not None:
        raise ValueError
    if parts.scheme != ours.scheme:
        raise ValueError
    if _port(parts.scheme, parts.port) != _port(ours.scheme, ours.port):
        raise ValueError
    if _host(parts.hostname) != _host(ours.hostname or ""):
        raise ValueError
    # The container is compared as it is written: no encoding can smuggle a slash into it.
    prefix = unquote(ours.path).rstrip("/") + "/"
    if not parts.path.startswith(prefix):
        raise ValueError
    return _possible_names(parts.path[len(prefix) :], "")


def _possible_names(path: str, folder: str) -> tuple[str, ...]:
    """The blob names that a path may mean. ValueError when it leaves its folder."""
    written = path.replace("%23", "#")
    names = []
    for name in (folder + _decoded(path), folder + written):
        segments = name.split("/")
        tidy = "/".join(part for part in segments if part not in {"", "."})
        if not tidy or len(name) > _MAX_BLOB_NAME or _CONTROL.search(name) or "\\" in name:
            raise ValueError
        if ".." in segments or name.endswith("/"):
            raise ValueError
        names += [name.lstrip("/"), tidy]
    return tuple(dict.fromkeys(names))


def _decoded(path: str) -> str:
    """The path with percent-encoding taken off, once; encoded separators are a ValueError."""
    if re.search(r"%(?:2f|5c|25(?:2f|5c|2e))", path, re.IGNORECASE):
        raise ValueError
    if re.search(r"%(?![0-9a-f]{2})", path, re.IGNORECASE):
        # Written without encoding: a name with a plain percent sign is used unchanged.
        return path.replace("%23", "#")
    return unquote(path, errors="strict")


def _host(host: str) -> str:
    """One name for an account's blob and dfs host; other hosts are unchanged."""
    host = host.casefold().rstrip(".")
    known = _STORAGE_HOST.fullmatch(host)
    if known is None:
        return host
    return f"{known['account']}{known['zone'] or ''}.{known['suffix']}"


def _port(scheme: str, port: int | None) -> int:
    return port or (443 if scheme == "https" else 80)
