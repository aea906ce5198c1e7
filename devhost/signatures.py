"""Checks at the start that a Python function fits its bindings, as Azure does.

A wrong parameter name or annotation stops the app instead of failing its first call. The checks are
those of the worker's indexing; the SDK's converters decide about types.
https://learn.microsoft.com/azure/azure-functions/functions-reference-python
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import azure.functions as func
from azure.functions.meta import Datum

from devhost.functions import Binding, Function, StartError

PLAIN = (str, bytes)


@dataclass(frozen=True)
class Signature:
    """A checked function, with the annotations that its converters need."""

    call: Callable[..., Any]
    name: str
    wants_context: bool
    plain_input: bool
    returns: Binding | None
    outputs: Mapping[str, tuple[str, Any]]

    def decode(self, trigger: Binding, data: Datum, metadata: Mapping[str, Datum]) -> Any:
        """What the trigger's parameter receives."""
        if self.plain_input:
            return data.value
        return _converter(trigger.type).decode(data, trigger_metadata=metadata)

    def encode_return(self, value: Any) -> Datum | None:
        """The returned value as its binding carries it.

        Raises:
            TypeError: the binding cannot carry it.
            RuntimeError: something was returned although no binding takes it.
        """
        if self.returns is not None:
            return _encode(self.returns.type, value, None)
        if value is not None:
            msg = f"{self.name} returned a value and has no $return binding"
            raise RuntimeError(msg)
        return None

    def encode_output(self, parameter: str, value: Any) -> Datum:
        """The value of an `Out` parameter as its binding carries it; raises TypeError."""
        binding_type, expected = self.outputs[parameter]
        return _encode(binding_type, value, expected)


def checked_signature(call: Callable[..., Any], function: Function) -> Signature:
    """Check a function against its bindings.

    Raises:
        StartError: the message names the function and the reason.
    """

    def refuse(reason: str) -> NoReturn:
        msg = f"Function {function.name} cannot be loaded: {reason}."
        raise StartError(msg)

    try:
        hints = typing.get_type_hints(call)
    except NameError as error:
        refuse(f"an annotation cannot be resolved ({error})")
    parameters = set(inspect.signature(call).parameters)
    bound = {one.name: one for one in function.bindings if one.name != "$return"}
    wants_context = "context" in parameters and "context" not in bound
    if wants_context:
        parameters.discard("context")
        if hints.get("context", func.Context) is not func.Context:
            refuse("the parameter context must be an azure.functions.Context")
    if parameters - set(bound):
        refuse(f"no binding for the parameter {', '.join(sorted(parameters - set(bound)))}")
    if set(bound) - parameters:
        refuse(f"no parameter for the binding {', '.join(sorted(set(bound) - parameters))}")

    plain_input, outputs = False, {}
    for name, binding in bound.items():
        hint = hints.get(name)
        is_out = typing.get_origin(hint) is func.Out or hint is func.Out
        if hint is not None and is_out != binding.is_output:
            wanted = "must be" if binding.is_output else "must not be"
            refuse(f"the parameter {name} {wanted} an azure.functions.Out")
        if not binding.is_output:
            plain_input = hint in PLAIN
            if hint is not None and not plain_input and not _accepts(binding, hint):
                refuse(f"the parameter {name} does not suit a {binding.type}")
            continue
        carried = (typing.get_args(hint) or (None,))[0]
        if carried is not None and carried not in PLAIN and not _gives(binding, carried):
            refuse(f"the parameter {name} does not suit a {binding.type} output")
        outputs[name] = ("generic" if carried in PLAIN else binding.type, carried)

    returns = next((one for one in function.bindings if one.name == "$return"), None)
    if returns is not None and "return" in hints:
        if not isinstance(hints["return"], type):
            refuse("the return annotation must be one type")
        if not _gives(returns, hints["return"]):
            refuse(f"the return annotation does not suit a {returns.type} output")
    return Signature(call, function.name, wants_context, plain_input, returns, outputs)


def _converter(binding_type: str) -> Any:
    registry: Any = func.get_binding_registry()  # type: ignore[no-untyped-call]
    return registry.get(binding_type)


def _accepts(binding: Binding, hint: Any) -> bool:
    converter = _converter(binding.type)
    try:
        return converter is not None and bool(converter.check_input_type_annotation(hint))
    except TypeError:  # not a class at all
        return False


def _gives(binding: Binding, hint: Any) -> bool:
    converter = _converter(binding.type)
    try:
        return converter is not None and bool(converter.check_output_type_annotation(hint))
    except TypeError:
        return False


def _encode(binding_type: str, value: Any, expected: Any) -> Datum:
    if binding_type == "generic":
        return Datum(value, "bytes" if isinstance(value, bytes) else "string")
    try:
        datum: Datum = _converter(binding_type).encode(value, expected_type=expected)
    except NotImplementedError as error:
        msg = f"a {binding_type} binding cannot carry a {type(value).__name__}"
        raise TypeError(msg) from error
    return datum
