"""As much of JSON Schema as tests use: types, required and known properties, enumerations, items."""

from __future__ import annotations

from typing import Any, TypeGuard

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def schema_problem(schema: object) -> str:
    """What is wrong with a schema, or an empty text."""
    if not _is_object(schema):
        return "data must be object"
    kind = schema.get("type")
    if kind is not None and kind not in _TYPES:
        return "data/type must be equal to one of the allowed values"
    inner_schemas = [*schema.get("properties", {}).values()]
    for inner in inner_schemas + ([schema["items"]] if "items" in schema else []):
        if problem := schema_problem(inner):
            return problem
    return ""


def mismatch(value: Any, schema: dict[str, Any], path: str = "") -> str:
    """Where and how a value differs from a schema, or an empty text."""
    kind = schema.get("type")
    if kind is not None and not _has_type(value, kind):
        return f"{path or 'root'}: must be {kind}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{path or 'root'}: must be equal to one of the allowed values"
    if _is_object(value):
        return _object_mismatch(value, schema, path)
    if _is_list(value) and "items" in schema:
        found = (mismatch(item, schema["items"], f"{path}/{index}") for index, item in enumerate(value))
        return next((problem for problem in found if problem), "")
    return ""


def _has_type(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _object_mismatch(value: dict[str, Any], schema: dict[str, Any], path: str) -> str:
    known: dict[str, Any] = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            return f"{path or 'root'}: must have required property '{name}'"
    for name, inner in value.items():
        if name in known and (problem := mismatch(inner, known[name], f"{path}/{name}")):
            return problem
        if name not in known and schema.get("additionalProperties") is False:
            return f"{path or 'root'}: must NOT have additional properties"
    return ""
