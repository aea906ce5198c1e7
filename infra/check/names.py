"""Every name that is used exists, every name that is declared is used, and modules fit their callers.

What `az bicep build` would say first: unknown symbols and functions, unused parameters, a module
called without a parameter it requires or asked for an output it does not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from infra.check.fault import Fault
from infra.check.template import ModuleCall, Object, Template

__all__ = ["check", "check_parameters"]

_FUNCTIONS = frozenset(
    {
        "concat", "empty", "environment", "filter", "guid", "loadTextContent", "map", "max",
        "resourceGroup", "string", "subscription", "subscriptionResourceId", "tenant", "union",
        "uniqueString",
    }
)  # fmt: skip
_DECORATORS = frozenset(
    {"allowed", "description", "maxLength", "maxValue", "minLength", "minValue", "secure"}
)


def check(templates: Mapping[str, Template]) -> list[Fault]:
    """Faults of all files together; keys are paths relative to the project."""
    found: list[Fault] = []
    for template in templates.values():
        found.extend(_symbols(template))
        found.extend(_parameters(template))
        for call in template.modules.values():
            found.extend(_call(template, call, templates))
    return found


def check_parameters(parameters: Template, main: Template) -> list[Fault]:
    """A parameter file sets only what exists, and everything that has no default."""
    found: list[Fault] = []
    given = {
        line.split()[1]
        for line in parameters.text.replace("var  ", "param ").splitlines()
        if line.startswith("param ")
    }
    found.extend(
        Fault(parameters.path, 0, f"main.bicep has no parameter {name}")
        for name in sorted(given - set(main.parameters))
        if name not in {"kind", "kinds"}
    )
    found.extend(
        Fault(parameters.path, 0, f"parameter {name} is required and not given")
        for name, parameter in main.parameters.items()
        if parameter.required and name not in given
    )
    return found


def _symbols(template: Template) -> Iterator[Fault]:
    declared = (
        template.parameters.keys()
        | template.variables.keys()
        | template.resources.keys()
        | template.modules.keys()
        | template.locals
    )
    for reference in template.references:
        if reference.symbol not in declared:
            yield Fault(template.path, reference.line, f"unknown name {reference.symbol}")
    for function, line in template.calls:
        if function not in _FUNCTIONS | _DECORATORS:
            yield Fault(template.path, line, f"unknown function {function}")
    used = {reference.symbol for reference in template.references}
    for name in [*template.parameters, *template.variables]:
        if name not in used:
            yield Fault(template.path, 0, f"{name} is declared and never used")


def _parameters(template: Template) -> Iterator[Fault]:
    for parameter in template.parameters.values():
        if not parameter.decorators.get("description"):
            said = f"parameter {parameter.name} has no @description"
            yield Fault(template.path, parameter.line, said)


def _call(
    template: Template, call: ModuleCall, templates: Mapping[str, Template]
) -> Iterator[Fault]:
    folder = template.path.rpartition("/")[0]
    target = templates.get(f"{folder}/{call.path}")
    if target is None:
        yield Fault(template.path, call.line, f"no such file {call.path}")
        return
    given = call.body.get("params")
    names = set(given.values) if isinstance(given, Object) else set()
    for name in sorted(names - set(target.parameters)):
        yield Fault(template.path, call.line, f"{call.path} has no parameter {name}")
    for name, parameter in target.parameters.items():
        if parameter.required and name not in names:
            yield Fault(template.path, call.line, f"{call.path} needs parameter {name}")
    for reference in template.references:
        if reference.symbol != call.symbol or not reference.path:
            continue
        if reference.path[0] != "outputs" or len(reference.path) < 2:
            yield Fault(template.path, reference.line, f"a module has only outputs: {call.symbol}")
        elif reference.path[1] not in target.outputs:
            said = f"{call.path} has no output {reference.path[1]}"
            yield Fault(template.path, reference.line, said)
