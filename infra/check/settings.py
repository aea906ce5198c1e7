"""One list of settings: what Azure gets, what shared/settings.py reads, the sample, the README.

Each may be wrong alone, so they are compared both ways. The storage connections appear in Azure in
their identity form only (`<name>__...`); secrets only as references into the vault.
https://learn.microsoft.com/azure/azure-functions/functions-reference#configure-an-identity-based-connection
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from infra.check.fault import Fault
from infra.check.template import Expression, Object, Template, Value

__all__ = ["APP", "PLATFORM", "check_azure", "check_readme", "check_sample", "in_azure"]

APP = "infra/modules/app.bicep"
PLATFORM = {
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "where the host sends its telemetry",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "as which identity it does",
    "PYTHON_THREADPOOL_THREAD_COUNT": "how many messages a worker really handles at once",
    "AzureWebJobsDisableHomepage": "whether the platform's own page stands at /",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "which libraries nobody may listen to",
}
"""Read by the platform, not by us."""

LOCAL_ONLY = frozenset({"DEVELOPER_IDENTITY"})
SAMPLE_ONLY = frozenset({"FUNCTIONS_WORKER_RUNTIME"})
_SERVICES = {
    "AzureWebJobsStorage": ("blobServiceUri", "queueServiceUri", "tableServiceUri"),
    "SEGMENTS_STORAGE": ("blobServiceUri",),
}
_SECRET = re.compile(r"(SECRET|_KEY|PASSWORD|TOKEN)$")


def in_azure(templates: Mapping[str, Template]) -> Object:
    """The app settings as the template writes them."""
    settings = templates[APP].resources["settings"].body.get("properties")
    return settings if isinstance(settings, Object) else Object()


def check_azure(templates: Mapping[str, Template], names: Collection[str]) -> list[Fault]:
    """The settings in Azure against the names that the app reads."""
    written = in_azure(templates)
    expected = {name for name in names if name not in _SERVICES} - LOCAL_ONLY
    expected |= {
        f"{name}__{part}"
        for name, services in _SERVICES.items()
        for part in (*services, "credential", "clientId")
    }
    expected |= PLATFORM.keys()
    found = [
        Fault(APP, written.lines[name], f"{name} is read by nobody")
        for name in written.values
        if name not in expected
    ]
    found.extend(
        Fault(APP, 0, f"{name} is read by the app and not set")
        for name in sorted(expected - set(written.values))
    )
    found.extend(_secrets(written))
    return found


def check_sample(values: Mapping[str, str], names: Collection[str]) -> list[Fault]:
    """local.settings.sample.json against the names; no secret in it."""
    path = "local.settings.sample.json"
    found = [Fault(path, 0, text) for text in _differences(values, {*names, *SAMPLE_ONLY})]
    found.extend(
        Fault(path, 0, f"{name} holds a secret")
        for name, value in values.items()
        if _SECRET.search(name) and value
    )
    return found


def check_readme(text: str, names: Collection[str]) -> list[Fault]:
    """The README's table of settings (first column, code font) against the names."""
    rows = re.findall(r"^\| *((?:`[A-Za-z_]+`[, ]*)+)\|", text, re.MULTILINE)
    listed = {
        name
        for row in rows
        for name in re.findall(r"`([A-Za-z_]+)`", row)
        if re.fullmatch(r"[A-Z][A-Z0-9_]*_[A-Z0-9_]+|AzureWebJobsStorage", name)
    }
    return [Fault("README.md", 0, said) for said in _differences(listed, names)]


def _differences(given: Iterable[str], expected: Iterable[str]) -> list[str]:
    there, wanted = set(given), set(expected)
    return [f"{name} is read by nobody" for name in sorted(there - wanted)] + [
        f"{name} is missing" for name in sorted(wanted - there)
    ]


def _secrets(written: Object) -> Iterator[Fault]:
    for name, value in written.values.items():
        if _SECRET.search(name) and not _is_reference(value):
            yield Fault(APP, written.lines[name], f"{name} must be a Key Vault reference")


def _is_reference(value: Value) -> bool:
    """A reference, or nothing at all where the feature is off."""
    if not isinstance(value, Expression):
        return False
    _, _, otherwise = value.text.partition(" ? ")
    text = otherwise.removeprefix("'' : ") if otherwise else value.text
    return text.startswith("'@Microsoft.KeyVault(SecretUri=${")
