"""Money, text and ids as they travel."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contracts.text import MAX_MINOR_UNITS, Line, Money, ProductId, Quantity

money: TypeAdapter[int] = TypeAdapter(Money)


@given(st.integers(min_value=0, max_value=MAX_MINOR_UNITS))
def test_money_is_a_decimal_string_in_json_and_comes_back_as_the_same_minor_units(minor: int) -> None:
    sent = money.dump_json(minor)

    assert money.validate_json(sent) == minor
    assert json.loads(sent) == f"{minor // 100}.{minor % 100:02d}"


@pytest.mark.parametrize(
    "amount",
    ["NaN", "Infinity", "-1", "1.999", "1,50", "", " 1", "1e3", "0x10", "99999999999999.00", 19.99, True, None],
)
def test_what_is_not_an_amount_of_money_is_refused(amount: object) -> None:
    with pytest.raises(ValidationError):
        money.validate_json(json.dumps(amount))


@pytest.mark.parametrize("quantity", [0, -1, 10_001, 10**30, "2", 1.0, True, None])
def test_a_quantity_is_a_whole_number_from_1_to_10000_and_nothing_that_looks_like_one(quantity: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Quantity).validate_python(quantity)


@pytest.mark.parametrize("product_id", ["", "a b", "ü", "x" * 65, "a\n", "../etc", "a\x00"])
def test_a_product_id_has_only_letters_digits_dashes_and_underscores(product_id: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(ProductId).validate_python(product_id)


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "", "   ", "x" * 201])
def test_text_that_cannot_be_stored_or_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Line).validate_python(text)
