"""Rights: only listed roles, only in roles.bicep's table, narrow scopes, names that do not change.

The list below is the whole of what this deployment may ever give. Owner, Contributor and User
Access Administrator are not on it, and a role id anywhere else is a fault.
https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from infra.check.fault import Fault
from infra.check.template import Expression, Object, Resource, Template, Value

__all__ = ["ALLOWED", "check"]

# role id -> its name as a variable, and the scopes (`on` in the table) on which each `who` may have it
ALLOWED: dict[str, tuple[str, frozenset[tuple[str, str]]]] = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": (
        "storageBlobDataOwner",
        frozenset({("state", "appPrincipalId")}),
    ),
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": (
        "storageBlobDataContributor",
        frozenset(
            {
                ("outcomes", "appPrincipalId"),
                ("deadLetters", "topicPrincipalId"),
                ("segments", "customerInsightsPrincipalId"),
            }
        ),
    ),
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": (
        "storageBlobDataReader",
        frozenset({("segments", "appPrincipalId"), ("outcomes", "customerInsightsPrincipalId")}),
    ),
    "db58b8e5-c6ad-4a2a-8342-4190687cbf4a": (
        "storageBlobDelegator",
        frozenset({("landing", "customerInsightsPrincipalId")}),
    ),
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": (
        "storageQueueDataContributor",
        frozenset({("state", "appPrincipalId")}),
    ),
    "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a": (
        "storageQueueDataMessageSender",
        frozenset({("events", "topicPrincipalId")}),
    ),
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": (
        "storageTableDataContributor",
        frozenset({("state", "appPrincipalId")}),
    ),
    "3913510d-42f4-4e42-8a64-420c390055eb": (
        "monitoringMetricsPublisher",
        frozenset({("insights", "appPrincipalId")}),
    ),
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": (
        "keyVaultSecretsOfficer",
        frozenset({("tokens", "appPrincipalId"), ("config", "secretsOfficerPrincipalId")}),
    ),
    "4633458b-17de-408a-b874-0445c86b69e6": (
        "keyVaultSecretsUser",
        frozenset({("config", "appPrincipalId")}),
    ),
}
_FILES = {"infra/modules/roles.bicep", "infra/modules/landingRoles.bicep"}
_TABLE = "infra/modules/roles.bicep"
_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


def check(templates: Mapping[str, Template]) -> list[Fault]:
    """Faults of the table, of the assignments made from it, and of role ids elsewhere."""
    found: list[Fault] = []
    for template in templates.values():
        for number, line in enumerate(template.text.splitlines(), 1):
            found.extend(
                Fault(template.path, number, f"role {role} is not on the list")
                for role in _ID.findall(line)
                if role not in ALLOWED or template.path != _TABLE
            )
        for resource in template.resources.values():
            if resource.type == "Microsoft.Authorization/roleAssignments":
                found.extend(_assignment(template, resource))
    if _TABLE in templates:
        found.extend(_rows(templates[_TABLE]))
    return found


def _assignment(template: Template, resource: Resource) -> Iterator[Fault]:
    if template.path not in _FILES:
        yield Fault(template.path, resource.line, "rights are given in roles.bicep only")
    scope = _text(resource.body.get("scope"))
    name = _text(resource.body.get("name"))
    if not scope:
        yield Fault(template.path, resource.line, "a right on the whole resource group is too wide")
    elif name != f"guid({scope}.id, row.who, row.role)":
        yield Fault(template.path, resource.line, "the name must be guid(scope, who, role)")
    for path, expected in {
        "principalId": "row.who",
        "principalType": "row.type",
        "roleDefinitionId": "subscriptionResourceId("
        "'Microsoft.Authorization/roleDefinitions', row.role)",
    }.items():
        if _text(resource.body.get("properties", path)) != expected:
            yield Fault(template.path, resource.line, f"{path} must be {expected}")


def _rows(template: Template) -> Iterator[Fault]:
    table = template.variables.get("table")
    names = {name: role for role, (name, _) in ALLOWED.items()}
    for name, role in names.items():
        if template.variables.get(name, role) != role:
            yield Fault(template.path, 0, f"{name} must be {role}")
    for row in table if isinstance(table, list) else []:
        if not isinstance(row, Object):
            continue
        line = min(row.lines.values())
        name = _text(row.get("role"))
        right = (str(row.get("on")), _text(row.get("who")))
        if name not in names:
            yield Fault(template.path, line, f"role {name} is not on the list")
        elif right not in ALLOWED[names[name]][1]:
            said = f"{right[1]} may not have {name} on {right[0]}"
            yield Fault(template.path, line, said)


def _text(value: Value) -> str:
    return value.text if isinstance(value, Expression) else str(value or "")
