"""Every resource has a known type at its one version, and only properties that Microsoft's model has.

Also checked: a literal is of the right kind and one of the published choices, nothing read-only is
written, and `resource.properties.x` read elsewhere exists.
"""

from __future__ import annotations

from collections.abc import Iterator

from infra.check import microsoft
from infra.check.fault import Fault
from infra.check.known import Known, known_for
from infra.check.microsoft import Field
from infra.check.template import Expression, Object, Resource, Template, Value

__all__ = ["check"]

# What Bicep itself understands on a resource, besides the model's own names.
_BICEP = {"name", "location", "tags", "parent", "scope", "dependsOn"}
_READABLE = {"id", "name", "type", "apiVersion"}
_DIAGNOSTICS = {
    "properties": Field(
        {
            "workspaceId": Field("text"),
            "storageAccountId": Field("text"),
            "logs": Field(
                {
                    "category": Field("text"),
                    "categoryGroup": Field("text"),
                    "enabled": Field("flag"),
                },
                many=True,
            ),
            "metrics": Field({"category": Field("text"), "enabled": Field("flag")}, many=True),
        }
    )
}


def check(template: Template) -> list[Fault]:
    """Faults of all resources of one file."""
    found: list[Fault] = []
    for resource in template.resources.values():
        known = known_for(resource.type, resource.body.get("name"))
        if known is None:
            found.append(Fault(template.path, resource.line, f"unknown type {resource.type}"))
            continue
        if resource.version != known.version:
            said = f"{resource.type}@{resource.version}: expected version {known.version}"
            found.append(Fault(template.path, resource.line, said))
        if not resource.existing:
            found.extend(_written(template, resource, known))
    found.extend(_read(template))
    return found


def _written(template: Template, resource: Resource, known: Known) -> Iterator[Fault]:
    shape = microsoft.shape(microsoft.load(known.model)) if known.model else _DIAGNOSTICS
    for name, value in resource.body.values.items():
        line = resource.body.lines[name]
        if name in _BICEP:
            continue
        field = shape.get(name)
        if field is None:
            yield Fault(template.path, line, f"{resource.type} has no property {name}")
        else:
            yield from _fits(template.path, line, f"{resource.type} {name}", field, value)


def _fits(path: str, line: int, where: str, field: Field, value: Value) -> Iterator[Fault]:
    if field.read_only:
        yield Fault(path, line, f"{where} is read-only")
    if isinstance(value, Expression) or value is None or field.kind in ("any", "map"):
        return
    if field.many:
        if not isinstance(value, list):
            yield Fault(path, line, f"{where} must be a list")
            return
        for one in value:
            yield from _fits(path, line, where, Field(field.kind, choices=field.choices), one)
        return
    if isinstance(field.kind, dict | type):
        if isinstance(value, Object):
            yield from _object(path, where, field.kind, value)
        else:
            yield Fault(path, line, f"{where} must be an object")
        return
    yield from _literal(path, line, where, field, value)


def _literal(path: str, line: int, where: str, field: Field, value: Value) -> Iterator[Fault]:
    right = {
        "text": isinstance(value, str),
        "flag": isinstance(value, bool),
        "number": isinstance(value, int) and not isinstance(value, bool),
    }
    if not right.get(str(field.kind), True):
        yield Fault(path, line, f"{where} must be a {field.kind}, not {value!r}")
    elif field.choices and isinstance(value, str) and value not in field.choices:
        yield Fault(path, line, f"{where}: {value!r} is none of {sorted(field.choices)}")


def _object(path: str, where: str, kind: object, value: Object) -> Iterator[Fault]:
    shape: dict[str, Field] = {}
    if isinstance(kind, dict):
        shape = kind
    elif isinstance(kind, type):
        chosen = value.get(microsoft.discriminator(kind))
        shape = microsoft.shape(kind, chosen if isinstance(chosen, str) else "")
    for name, inner in value.values.items():
        field = shape.get(name)
        if field is None:
            yield Fault(path, value.lines[name], f"{where} has no property {name}")
        else:
            yield from _fits(path, value.lines[name], f"{where}.{name}", field, inner)


def _read(template: Template) -> Iterator[Fault]:
    for reference in template.references:
        resource = template.resources.get(reference.symbol)
        if resource is None:
            continue
        for step in reference.path:
            if step.startswith("::"):
                resource = template.resources.get(step[2:])
                if resource is None:
                    yield Fault(template.path, reference.line, f"no nested resource {step[2:]}")
                    break
        path = tuple(step for step in reference.path if not step.startswith("::"))
        if resource is not None and path and not _readable(resource, path):
            said = f"{resource.type} has no {'.'.join(path)}"
            yield Fault(template.path, reference.line, said)


def _readable(resource: Resource, path: tuple[str, ...]) -> bool:
    if path[0] in _READABLE:
        return len(path) == 1
    known = known_for(resource.type, resource.body.get("name"))
    if known is None or not known.model:
        return False
    cls = microsoft.load(known.read_model or known.model)
    return microsoft.field_of(cls, path) is not None
