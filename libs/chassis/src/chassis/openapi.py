"""Documents what FastAPI cannot see: the body of a route that reads it by itself."""

from typing import Any

from pydantic import BaseModel


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """The `openapi_extra` of such a route."""
    schema = model.model_json_schema()
    whole = _inlined(schema, schema.pop("$defs", {}))
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": whole}}}}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    beside = {key: _inlined(value, definitions) for key, value in schema.items() if key != "$ref"}
    # Which of its alternatives is meant each of them says itself, and the definitions that this points to are gone.
    if isinstance(beside.get("discriminator"), dict):
        beside["discriminator"].pop("mapping", None)
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions) | beside
    return beside
