"""The warehouse takes goods in."""

import pytest

from .cast import Cast


@pytest.mark.rule("AC-INV-001")
@pytest.mark.sequence("SEQ-INV-001")
async def test_what_was_taken_in_can_be_had_and_is_on_record(cast: Cast) -> None:
    taken_in = await cast.staff.post("product", "/products/product_789/restocks", {"quantity": 10})

    shown = await cast.visitor.get("product", "/products/product_789")
    ledger = await cast.staff.get("product", "/products/product_789/stock/movements")
    assert (taken_in.status, taken_in["available"], shown["available"]) == (201, 60, 60)
    assert (ledger["items"][0]["kind"], ledger["items"][0]["on_hand_change"]) == ("received", 10)


@pytest.mark.sequence("SEQ-INV-001", exception="INVALID_QUANTITY")
async def test_nothing_cannot_be_taken_in(cast: Cast) -> None:
    refused = await cast.staff.post("product", "/products/product_789/restocks", {"quantity": 0})

    assert (refused.status, refused.code) == (400, "INVALID_QUANTITY")


@pytest.mark.sequence("SEQ-INV-001", exception="PRODUCT_NOT_FOUND")
async def test_what_does_not_exist_cannot_be_taken_in(cast: Cast) -> None:
    refused = await cast.staff.post("product", "/products/nothing/restocks", {"quantity": 10})

    assert (refused.status, refused.code) == (404, "PRODUCT_NOT_FOUND")
