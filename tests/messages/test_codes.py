"""Every message of the app has a text, and its values are the placeholders of the text.

The codes and values are read from the source: from the calls that construct errors, faults,
findings and reasons, and from the functions that pass a code on.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import get_args

from pydantic_core.core_schema import ErrorType

import shared
from shared import errors
from shared.mailchimp.error_responses import CODES as ANSWERS
from shared.messages.catalogue import codes, placeholders
from shared.model.outcome import Code

SOURCE = Path(shared.__file__).parent

OUTCOMES = {f"outcomes.{code}.{part}" for code in Code for part in ("reason", "action")}

# Constructors, with the position of the code among the arguments.
ERRORS = {
    name: 0
    for name, one in vars(errors).items()
    if inspect.isclass(one) and issubclass(one, errors.ConnectorError)
}
RECORDS = {"Fault": 1, "Finding": 1, "Reason": 0}
# `Failure` becomes Unavailable, `refuse_changed` raises Changed, `wrong` and `matching` note faults of settings.
OTHERS = {"HttpProblem": 9, "Failure": 0, "matching": 2, "refuse_changed": 2, "wrong": 1}
CONSTRUCTORS = {**ERRORS, **RECORDS, **OTHERS}
# Keywords of errors that are not values, and values that a text may omit.
PARAMETERS = {
    "code", "detail", "faults", "headers", "maybe_applied", "message", "retry_after", "severity",
    "throttled",
}  # fmt: skip
OPTIONAL = {"causeCode", "field", "status", "where"}


@dataclass(frozen=True)
class Call:
    """One call that creates a message. `values` is None where it passes on those of another message."""

    place: str
    code: str
    values: frozenset[str] | None


@dataclass(frozen=True)
class Forwarder:
    """A function that passes its own parameter `code` on."""

    position: int
    values: frozenset[str] | None
    takes_values: bool


def called(node: ast.Call) -> str:
    """The name of what is called."""
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


@cache
def trees() -> list[tuple[Path, ast.Module]]:
    return [(path, ast.parse(path.read_text("utf-8"))) for path in sorted(SOURCE.rglob("*.py"))]


@cache
def constants() -> dict[str, str]:
    return {
        target.id: node.value.value
        for _, tree in trees()
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }


def literals(node: ast.AST | None) -> list[str]:
    """The possible texts of an expression."""
    if isinstance(node, ast.IfExp):
        return [*literals(node.body), *literals(node.orelse)]
    if isinstance(node, ast.Name):
        return [constants()[node.id]] if node.id in constants() else []
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def argument(node: ast.Call, name: str, position: int) -> ast.expr | None:
    named = next((one.value for one in node.keywords if one.arg == name), None)
    if named is not None:
        return named
    return node.args[position] if len(node.args) > position else None


def keys(node: ast.expr | None) -> frozenset[str] | None:
    """The keys of a dict that is written out; None for any other expression."""
    if node is None:
        return frozenset()
    if not isinstance(node, ast.Dict) or None in node.keys:
        return None
    return frozenset(one for key in node.keys for one in literals(key))


def values_of(node: ast.Call) -> frozenset[str] | None:
    """The names of the values, or None when they are those of another message."""
    name = called(node)
    if name in RECORDS:
        return keys(argument(node, "values", RECORDS[name] + 1))
    if name == "HttpProblem":
        return keys(argument(node, "values", 9))
    if any(one.arg is None for one in node.keywords):
        return None
    return frozenset({one.arg for one in node.keywords if one.arg} - PARAMETERS)


def classes_of_errors(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls of the base's `__init__` in classes that derive from the app's errors."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and {getattr(base, "id", "") for base in node.bases} & {
            *ERRORS
        }:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Call) and called(inner) == "__init__":
                    yield inner


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def forwarders(tree: ast.AST) -> dict[str, Forwarder]:
    """The functions of a module that pass a code on to a constructor."""
    found: dict[str, Forwarder] = {}
    for function in functions(tree):
        names = [one.arg for one in function.args.args]
        if "code" not in names or function.name in CONSTRUCTORS:
            continue
        position = names.index("code") - ("self" in names or "cls" in names)
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and called(node) in CONSTRUCTORS:
                code = argument(node, "code", CONSTRUCTORS[called(node)])
                if isinstance(code, ast.Name) and code.id == "code":
                    takes = function.args.kwarg is not None
                    found[function.name] = Forwarder(position, _written(node), takes)
    return found


def _written(node: ast.Call) -> frozenset[str] | None:
    """The values that a forwarder adds to those that it gets."""
    values = argument(node, "values", RECORDS.get(called(node), 0) + 1)
    if isinstance(values, ast.Dict):
        return frozenset(one for key in values.keys if key for one in literals(key))
    return frozenset({one.arg for one in node.keywords if one.arg} - PARAMETERS - {"values"})


def codes_of(node: ast.Call, name: str, function: ast.AST | None) -> list[str]:
    """The codes of a call; where it is a variable, those that are written in its function."""
    code = argument(node, "code", CONSTRUCTORS[name])
    found = literals(code)
    if found or not isinstance(code, ast.Name) or function is None:
        return found
    written = {one for inner in ast.walk(function) for one in literals(inner)}
    return sorted(written & codes())


@cache
def calls() -> list[Call]:
    return list(_calls())


def _calls() -> Iterator[Call]:
    for path, tree in trees():
        passing = forwarders(tree)
        for node in classes_of_errors(tree):
            place = f"{path.relative_to(SOURCE)}:{node.lineno}"
            yield from (Call(place, one, frozenset()) for one in literals(node.args[0]))
        within = {node: f for f in functions(tree) for node in ast.walk(f)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name, place = called(node), f"{path.relative_to(SOURCE)}:{node.lineno}"
            if name == "text" and "web" in path.parts:
                values = keys(argument(node, "values", 2))
                for code in literals(argument(node, "key", 1)):
                    if code in codes():
                        yield Call(place, code, values)
            elif name in passing:
                one = passing[name]
                given = values_of(node) if one.takes_values else frozenset()
                values = None if None in (one.values, given) else one.values | given
                code = argument(node, "code", one.position)
                yield from (Call(place, each, values) for each in literals(code))
            elif name in CONSTRUCTORS:
                for each in codes_of(node, name, within.get(node)):
                    yield Call(place, each, values_of(node))


def test_the_calls_that_create_messages_are_found() -> None:
    assert len(calls()) > 250
    assert {"tagTaken", "timesTooMany", "settingHttps", "apiKeyForm", "noNewData", "planGone"} <= {
        call.code for call in calls()
    }


def test_every_code_has_a_text() -> None:
    assert [f"{call.place} {call.code}" for call in calls() if call.code not in codes()] == []
    assert codes() >= ANSWERS


def test_the_values_of_a_message_are_the_placeholders_of_its_text() -> None:
    wrong = [
        f"{call.place} {call.code}: {sorted(call.values)}, not {sorted(needed)}"
        for call in calls()
        if call.values is not None and call.code in codes()
        for needed in [placeholders(call.code, "en")]
        if call.values - OPTIONAL != needed - OPTIONAL or needed - call.values
    ]

    assert wrong == []


def test_every_outcome_has_its_reason_and_what_to_do() -> None:
    assert codes() >= OUTCOMES


def test_every_text_is_used() -> None:
    written = {one for _, tree in trees() for node in ast.walk(tree) for one in literals(node)}
    problems = {f"problems.{kind}.{part}" for kind in written for part in ("title", "detail")}
    inputs = {f"input.{kind}" for kind in {*written, *get_args(ErrorType)}}
    given = {call.code for call in calls()}

    assert sorted(codes() - given - ANSWERS - OUTCOMES - problems - inputs) == []
