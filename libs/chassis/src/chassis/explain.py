"""Says in sentences what is wrong with what a client sent, field by field, and never repeats what that was."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

INVALID: Final = "The request is not valid. The details say why."
MOST: Final = 50
_LONGEST_NAME: Final = 64
_PLACES: Final = {"body", "query", "path", "header", "cookie"}

# Pydantic's own sentences repeat parts of the input for some kinds; these are all that a client gets to see.
_SENTENCES: Final = {
    "missing": "This field is required.",
    "extra_forbidden": "This field is not known here.",
    "string_type": "This must be a text.",
    "string_too_short": "This must have at least {min_length} characters.",
    "string_too_long": "This must have at most {max_length} characters.",
    "string_pattern_mismatch": "This does not have the expected form.",
    "int_type": "This must be a whole number.",
    "int_parsing": "This must be a whole number.",
    "int_from_float": "This must be a whole number.",
    "int_parsing_size": "This number is too large.",
    "float_type": "This must be a number.",
    "float_parsing": "This must be a number.",
    "finite_number": "This must be a finite number.",
    "decimal_type": "This must be a decimal number.",
    "decimal_parsing": "This must be a decimal number.",
    "bool_type": "This must be true or false.",
    "bool_parsing": "This must be true or false.",
    "greater_than": "This must be greater than {gt}.",
    "greater_than_equal": "This must be at least {ge}.",
    "less_than": "This must be less than {lt}.",
    "less_than_equal": "This must be at most {le}.",
    "multiple_of": "This must be a multiple of {multiple_of}.",
    "too_short": "This must have at least {min_length} entries.",
    "too_long": "This must have at most {max_length} entries.",
    "list_type": "This must be a list.",
    "dict_type": "This must be an object.",
    "model_type": "This must be an object.",
    "model_attributes_type": "This must be an object.",
    "enum": "This must be one of {expected}.",
    "literal_error": "This must be one of {expected}.",
    "union_tag_invalid": "This must be one of {expected_tags}.",
    "uuid_type": "This must be a UUID.",
    "uuid_parsing": "This must be a UUID.",
    "uuid_version": "This must be a UUID of version {expected_version}.",
    "datetime_type": "This must be a date and time as in RFC 3339.",
    "datetime_parsing": "This must be a date and time as in RFC 3339.",
    "datetime_from_date_parsing": "This must be a date and time as in RFC 3339.",
    "timezone_aware": "This must have a time zone.",
    "date_type": "This must be a date as in RFC 3339.",
    "date_parsing": "This must be a date as in RFC 3339.",
    "date_from_datetime_parsing": "This must be a date as in RFC 3339.",
    "time_delta_type": "This must be a duration as in ISO 8601, such as PT2H.",
    "time_delta_parsing": "This must be a duration as in ISO 8601, such as PT2H.",
    "json_invalid": "This is not JSON.",
}


def explain(errors: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """From pydantic's list of errors to the details of a refusal."""
    return [{"field": field_name(error["loc"]), "message": _sentence(error)} for error in islice(errors, MOST)]


def field_name(loc: Sequence[str | int]) -> str:
    """`("body", "items", 0, "quantity")` → `items.0.quantity`. Names come from outside, too: short and printable."""
    inner = loc[1:] if len(loc) > 1 and loc[0] in _PLACES else loc
    return ".".join(_printable(str(part)) for part in inner) or "body"


def _printable(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name[:_LONGEST_NAME])


def _sentence(error: Mapping[str, Any]) -> str:
    context = error.get("ctx", {})
    if error["type"] in {"value_error", "assertion_error"}:  # our own validators' words
        words = str(context.get("error", "")) or "is not valid"
        return words if words[0].isupper() else f"This {words.removesuffix('.')}."
    return _SENTENCES.get(error["type"], "This is not valid.").format_map(context)
