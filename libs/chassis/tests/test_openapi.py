"""A body that a route reads by itself is documented whole: nothing in it points to what is not there."""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from chassis.openapi import body_of
from contracts.sales.orders import PlaceOrder


class Circle(BaseModel):
    """Round."""

    kind: Literal["circle"]
    radius: int


class Square(BaseModel):
    kind: Literal["square"]
    side: int


class Drawing(BaseModel):
    shapes: list[Annotated[Circle | Square, Field(discriminator="kind")]]
    frame: Square = Field(description="What is around it.")
    shadow: Square | None = None
    named: dict[str, Circle] = {}
    discriminator: str = ""


def schema_of(model: type[BaseModel]) -> dict[str, object]:
    body = body_of(model)["requestBody"]
    assert body["required"]
    schema: dict[str, object] = body["content"]["application/json"]["schema"]
    return schema


def test_nothing_points_to_a_definition() -> None:
    for model in (Drawing, PlaceOrder):
        text = json.dumps(schema_of(model))
        assert "$ref" not in text
        assert "$defs" not in text


def test_what_was_pointed_to_stands_there_with_what_was_said_beside_it() -> None:
    properties = schema_of(Drawing)["properties"]

    assert isinstance(properties, dict)
    assert properties["named"]["additionalProperties"]["properties"]["radius"] == {"title": "Radius", "type": "integer"}
    assert properties["shapes"]["items"]["discriminator"] == {"propertyName": "kind"}
    assert properties["frame"]["properties"]["side"] == {"title": "Side", "type": "integer"}
    assert properties["frame"]["description"] == "What is around it."
    assert properties["discriminator"]["type"] == "string"
