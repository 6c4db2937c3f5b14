"""What is taken out of a parcel, and what stays, without anything around it."""

from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.delivery.shipments import PackedItem
from delivery.shipments.contents import InvalidSplit, Lines, pieces, take_out

VARIANT = uuid4()
ARTICLES: list[tuple[str, UUID | None]] = [("shirt", None), ("shirt", VARIANT), ("mug", None)]


def a_line(article: tuple[str, UUID | None], quantity: int) -> dict[str, Any]:
    product_id, variant_id = article
    return {"product_id": product_id, "quantity": quantity} | ({"variant_id": str(variant_id)} if variant_id else {})


def wanted(article: tuple[str, UUID | None], quantity: int) -> PackedItem:
    return PackedItem(product_id=article[0], variant_id=article[1], quantity=quantity)


def counted(lines: Lines) -> Counter[tuple[str, str | None]]:
    found = Counter[tuple[str, str | None]]()
    for line in lines:
        assert line["quantity"] > 0
        found[line["product_id"], line.get("variant_id")] += line["quantity"]
    return found


quantities = st.lists(st.tuples(st.sampled_from(ARTICLES), st.integers(1, 5)), min_size=1, max_size=6)


@given(quantities, quantities)
def test_what_is_taken_and_what_stays_is_together_what_was_there(
    packed: list[tuple[Any, int]], asked: list[tuple[Any, int]]
) -> None:
    lines = [a_line(*each) for each in packed]
    named = counted([a_line(*each) for each in asked])

    try:
        taken, stays = take_out(lines, [wanted(*each) for each in asked])
    except InvalidSplit:
        assert not named < counted(lines)
    else:
        assert counted(taken) == named
        assert counted(taken) + counted(stays) == counted(lines)
        assert taken
        assert stays


def test_the_same_thing_twice_adds_up() -> None:
    taken, stays = take_out([a_line(ARTICLES[0], 5)], [wanted(ARTICLES[0], 1), wanted(ARTICLES[0], 2)])

    assert (pieces(taken), pieces(stays)) == (3, 2)
    with pytest.raises(InvalidSplit) as refused:
        take_out([a_line(ARTICLES[0], 5)], [wanted(ARTICLES[0], 3), wanted(ARTICLES[0], 3)])
    assert [detail["field"] for detail in refused.value.details] == ["items.0.quantity", "items.1.quantity"]


def test_a_variant_is_another_thing_than_its_product() -> None:
    lines = [a_line(ARTICLES[0], 1), a_line(ARTICLES[1], 4)]

    with pytest.raises(InvalidSplit) as refused:
        take_out(lines, [wanted(ARTICLES[1], 1), wanted(ARTICLES[0], 2)])

    assert refused.value.details == (
        {
            "field": "items.1.quantity",
            "message": "The parcel has 1 of it.",
            "product_id": "shirt",
            "variant_id": None,
            "available": 1,
        },
    )
