"""From the text of a Bicep file to its declarations, by the grammar of tree-sitter-bicep.

What the grammar cannot read becomes a syntax fault; nothing is raised. The grammar knows Bicep's
form and none of its meaning. https://pypi.org/project/tree-sitter-bicep/
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

from infra.check.fault import Fault
from infra.check.template import (
    Expression,
    ModuleCall,
    Object,
    Output,
    Parameter,
    Reference,
    Resource,
    Template,
    Value,
)

__all__ = ["read", "read_parameters"]


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bicep.language()))


def read(path: str, text: str) -> Template:
    """Read one .bicep file."""
    template = Template(path, text)
    root = _parser().parse(text.encode()).root_node
    template.syntax = [
        Fault(path, node.start_point.row + 1, f"syntax: {_text(node)[:60] or node.type!r}")
        for node in _nodes(root)
        if node.type == "ERROR" or node.is_missing
    ]
    decorators: dict[str, list[Value]] = {}
    for node in root.children:
        if node.type == "decorators":
            decorators = _decorators(node)
            continue
        _declare(template, node, decorators)
        if node.type != "comment":
            decorators = {}
    for node in _nodes(root):
        _note_use(template, node)
    return template


def read_parameters(path: str, text: str) -> Template:
    """Read a .bicepparam file: its `param name = value` lines become variables.

    The grammar knows no parameter files; `param` and `var` have the same shape there.
    """
    lines = [
        "var  " + line.removeprefix("param") if line.startswith("param ") else line
        for line in text.splitlines()
        if not line.startswith("using ")
    ]
    return read(path, "\n".join(lines) + "\n")


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _nodes(child)


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _named(node: Node, kind: str) -> Node | None:
    return next((child for child in node.children if child.type == kind), None)


def _line(node: Node) -> int:
    return node.start_point.row + 1


def _declare(template: Template, node: Node, decorators: dict[str, list[Value]]) -> None:
    match node.type:
        case "target_scope_assignment":
            template.scope = str(_value(node.children[-1]))
        case "parameter_declaration":
            name = _text(node.children[1])
            has_default = any(child.type == "=" for child in node.children)
            template.parameters[name] = Parameter(
                name,
                _type(node),
                required=not has_default,
                default=_value(node.children[-1]) if has_default else None,
                decorators=decorators,
                line=_line(node),
            )
        case "variable_declaration":
            template.variables[_text(node.children[1])] = _value(node.children[-1])
        case "output_declaration":
            name = _text(node.children[1])
            template.outputs[name] = Output(
                name, _type(node), _value(node.children[-1]), _line(node), decorators
            )
        case "module_declaration":
            symbol = _text(node.children[1])
            call = ModuleCall(symbol, str(_value(node.children[2])), _body(node), _line(node))
            template.modules[symbol] = call
        case "resource_declaration":
            _declare_resource(template, node, None)


def _declare_resource(template: Template, node: Node, outer: Resource | None) -> None:
    symbol = _text(node.children[1])
    kind, _, version = str(_value(node.children[2])).partition("@")
    if outer is not None:
        kind, version = f"{outer.type}/{kind}", version or outer.version
    existing = _named(node, "existing") is not None
    resource = Resource(symbol, kind, version, existing, _body(node), _line(node))
    template.resources[symbol] = resource
    holder = next((child for child in _nodes(node) if child.type == "object"), None)
    for child in holder.children if holder else []:
        inner = _named(child, "resource_declaration")
        if child.type == "object_property" and inner is not None:
            _declare_resource(template, inner, resource)


def _body(node: Node) -> Object:
    """The object of a resource or module, through `if` and `for`."""
    last = node.children[-1]
    while last.type in {"if_statement", "for_statement"}:
        last = last.child_by_field_name("body") or last.children[-1]
    value = _value(last)
    return value if isinstance(value, Object) else Object()


def _decorators(node: Node) -> dict[str, list[Value]]:
    found: dict[str, list[Value]] = {}
    for decorator in node.children:
        call = _named(decorator, "call_expression")
        if call is not None:
            arguments = call.child_by_field_name("arguments")
            inner = arguments.named_children if arguments else []
            found[_text(call.children[0])] = [_value(child) for child in inner]
    return found


def _type(node: Node) -> str:
    found = _named(node, "type")
    return _text(found) if found else ""


def _value(node: Node) -> Value:
    match node.type:
        case "string":
            if _named(node, "interpolation") is None:
                return "".join(_text(c) for c in node.children if c.type == "string_content")
        case "number":
            return int(_text(node))
        case "boolean":
            return _text(node) == "true"
        case "null":
            return None
        case "array":
            return [_value(child) for child in node.named_children if child.type != "comment"]
        case "object":
            return _object(node)
    return Expression(_text(node))


def _object(node: Node) -> Object:
    found = Object()
    for child in node.named_children:
        if child.type != "object_property" or _named(child, "resource_declaration"):
            continue
        key = child.named_children[0]
        name = str(_value(key)) if key.type == "string" else _text(key)
        if isinstance(_value(key), Expression) and key.type == "string":
            name = _text(key).strip("'")
        found.values[name] = _value(child.named_children[-1])
        found.lines[name] = _line(child)
    return found


def _note_use(template: Template, node: Node) -> None:
    if node.type in {"loop_variable", "loop_enumerator"}:
        template.locals.add(_text(node))
    elif node.type == "for_statement":
        first = node.child_by_field_name("initializer")
        if first is not None:
            template.locals.add(_text(first))
    elif node.type == "lambda_expression":
        template.locals.add(_text(node.children[0]))
    elif node.type == "call_expression":
        template.calls.append((_text(node.children[0]), _line(node)))
    elif node.type == "identifier" and not _declares(node):
        template.references.append(Reference(_text(node), _path(node), _line(node)))


def _declares(node: Node) -> bool:
    parent = node.parent
    if parent is None or parent.type == "decorator":
        return True
    if parent.type == "call_expression":
        return parent.child_by_field_name("function") == node
    if parent.type.endswith("_declaration") or parent.type == "object_property":
        return parent.children[-1] != node
    return parent.type == "lambda_expression" and parent.children[0] == node


def _path(node: Node) -> tuple[str, ...]:
    """The names that follow an identifier: `a.b.c` gives b, c; `a[0].b` gives b."""
    found: list[str] = []
    here = node
    while here.parent is not None:
        parent = here.parent
        if parent.type == "member_expression" and parent.child_by_field_name("object") == here:
            found.append(_text(parent.child_by_field_name("property") or parent))
        elif parent.type == "resource_expression":
            found.append("::" + _text(parent.child_by_field_name("resource") or parent))
        elif not (
            parent.type == "subscript_expression" and parent.child_by_field_name("object") == here
        ):
            break
        here = parent
    return tuple(found)
