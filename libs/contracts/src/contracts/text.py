"""The small types that every body and event is made of: text, identifiers, quantities and money."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints

MAX_MINOR_UNITS = 10**12
MAX_QUANTITY = 10_000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MONEY = re.compile(r"\d{1,11}(\.\d{1,2})?")


def _storable(text: str) -> str:
    # PostgreSQL takes neither: refused here, they are a 400; let through, they would be a 500.
    if _UNSTORABLE.search(text):
        raise ValueError("must not contain NUL characters or lone surrogates")
    return text


def to_minor_units(amount: Any) -> Any:
    if not isinstance(amount, str):
        return amount
    if not _MONEY.fullmatch(amount):
        raise ValueError('must be a decimal string such as "19.99"')
    whole, _, cents = amount.partition(".")
    return int(whole) * 100 + int(cents.ljust(2, "0"))


def to_decimal_string(minor_units: int) -> str:
    return f"{minor_units // 100}.{minor_units % 100:02d}"


Text = Annotated[str, AfterValidator(_storable)]
PlainText = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_storable)]
"""What it must be like beyond this, a rule with a code of its own says."""
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_storable)]
ShortLine = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), AfterValidator(_storable)
]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000), AfterValidator(_storable)]
ProductId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Quantity = Annotated[int, Field(strict=True, ge=1, le=MAX_QUANTITY)]

Money = Annotated[
    int,
    BeforeValidator(to_minor_units, json_schema_input_type=str),
    Field(strict=True, ge=0, le=MAX_MINOR_UNITS),
    PlainSerializer(to_decimal_string, return_type=str, when_used="json"),
]
"""Integer minor units inside, a decimal string in JSON."""


class Body(BaseModel):
    """What is sent to an API: fields that are not ours are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class View(BaseModel):
    """What an API answers: clients ignore what they do not know."""

    model_config = ConfigDict(frozen=True, from_attributes=True)
