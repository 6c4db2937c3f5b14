"""Categories, products, variants and prices, as an admin makes and changes them."""

from typing import Any

import pytest

from .cast import Answer, Cast

A_PRODUCT: dict[str, Any] = {"name": "A lamp", "price": "19.99", "initial_stock": 5}


async def a_product(cast: Cast, **changes: Any) -> Answer:
    category = await cast.admin.post("product", "/categories", {"name": "Lamps"})
    body = {**A_PRODUCT, "category_id": category["category_id"], **changes}
    return await cast.admin.post("product", "/products", body)


@pytest.mark.rule("AC-CAT-001")
@pytest.mark.sequence("SEQ-CAT-001")
async def test_a_category_stands_in_the_tree(cast: Cast) -> None:
    parent = await cast.admin.post("product", "/categories", {"name": "Lights"})

    child = await cast.admin.post("product", "/categories", {"name": "Lamps", "parent_id": parent["category_id"]})

    assert (child.status, child["parent_id"]) == (201, parent["category_id"])


@pytest.mark.sequence("SEQ-CAT-001", exception="DUPLICATE_CATEGORY_NAME")
async def test_a_name_of_a_category_is_taken_once(cast: Cast) -> None:
    await cast.admin.post("product", "/categories", {"name": "Lamps"})

    again = await cast.admin.post("product", "/categories", {"name": "LAMPS"})

    assert (again.status, again.code) == (409, "DUPLICATE_CATEGORY_NAME")


@pytest.mark.sequence("SEQ-CAT-001", exception="CATEGORY_DEPTH_EXCEEDED")
async def test_the_tree_does_not_get_deeper_than_it_may(cast: Cast) -> None:
    above = None
    for name in ("One", "Two", "Three"):
        above = (await cast.admin.post("product", "/categories", {"name": name, "parent_id": above}))["category_id"]

    deeper = await cast.admin.post("product", "/categories", {"name": "Four", "parent_id": above})

    assert (deeper.status, deeper.code) == (400, "CATEGORY_DEPTH_EXCEEDED")


@pytest.mark.sequence("SEQ-CAT-001", exception="PARENT_CATEGORY_NOT_FOUND")
async def test_a_category_stands_below_one_that_exists(cast: Cast) -> None:
    nowhere = "0197a5c8-7c00-7000-8000-000000000002"

    orphan = await cast.admin.post("product", "/categories", {"name": "Lamps", "parent_id": nowhere})

    assert (orphan.status, orphan.code) == (400, "PARENT_CATEGORY_NOT_FOUND")


@pytest.mark.rule("AC-PROD-001")
@pytest.mark.sequence("SEQ-PROD-001")
async def test_a_product_is_in_the_catalogue_with_its_stock(cast: Cast) -> None:
    made = await a_product(cast)

    shown = await cast.visitor.get("product", f"/products/{made['product_id']}")
    assert (made.status, shown["is_active"], shown["available"]) == (201, True, 5)


@pytest.mark.rule("BR-PROD-001")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param(
            {"price": "0.00"}, "INVALID_PRICE", marks=pytest.mark.sequence("SEQ-PROD-001", exception="INVALID_PRICE")
        ),
        pytest.param(
            {"name": "X"},
            "INVALID_PRODUCT_NAME",
            marks=pytest.mark.sequence("SEQ-PROD-001", exception="INVALID_PRODUCT_NAME"),
        ),
        pytest.param(
            {"description": "x" * 5001},
            "DESCRIPTION_TOO_LONG",
            marks=pytest.mark.sequence("SEQ-PROD-001", exception="DESCRIPTION_TOO_LONG"),
        ),
        pytest.param(
            {"category_id": "0197a5c8-7c00-7000-8000-000000000002"},
            "INVALID_CATEGORY",
            marks=pytest.mark.sequence("SEQ-PROD-001", exception="INVALID_CATEGORY"),
        ),
    ],
)
async def test_a_product_that_breaks_a_rule_is_refused(cast: Cast, changes: dict[str, Any], code: str) -> None:
    refused = await a_product(cast, **changes)

    assert (refused.status, refused.code) == (400, code)


@pytest.mark.rule("AC-PROD-002")
@pytest.mark.sequence("SEQ-PROD-002")
async def test_a_deactivated_product_is_gone_from_the_catalogue(cast: Cast) -> None:
    product_id = (await a_product(cast))["product_id"]

    deactivated = await cast.admin.post("product", f"/products/{product_id}/deactivation")

    listed = await cast.visitor.get("product", "/products?q=lamp")
    assert (deactivated.status, deactivated["is_active"], listed["items"]) == (200, False, [])


@pytest.mark.rule("AC-PROD-002")
@pytest.mark.sequence("SEQ-PROD-002", exception="ALREADY_INACTIVE")
async def test_deactivating_again_succeeds_and_changes_nothing(cast: Cast) -> None:
    product_id = (await a_product(cast))["product_id"]
    first = await cast.admin.post("product", f"/products/{product_id}/deactivation")

    again = await cast.admin.post("product", f"/products/{product_id}/deactivation")

    assert (again.status, again.body) == (200, first.body)


@pytest.mark.rule("AC-VAR-001")
@pytest.mark.sequence("SEQ-VAR-001")
async def test_a_variant_can_be_had_as_far_as_its_own_stock_goes(cast: Cast) -> None:
    product_id = (await a_product(cast, initial_stock=0))["product_id"]

    variant = await cast.admin.post(
        "product", f"/products/{product_id}/variants", {"sku": "LAMP-RED", "color": "red", "initial_stock": 3}
    )

    assert (variant.status, variant["available"]) == (201, 3)


@pytest.mark.parametrize(
    ("variant", "status", "code"),
    [
        pytest.param(
            {"sku": "LAMP-RED", "color": "blue"},
            409,
            "DUPLICATE_SKU",
            marks=pytest.mark.sequence("SEQ-VAR-001", exception="DUPLICATE_SKU"),
        ),
        pytest.param(
            {"sku": "LAMP-ANY"},
            400,
            "VARIANT_ATTRIBUTE_REQUIRED",
            marks=pytest.mark.sequence("SEQ-VAR-001", exception="VARIANT_ATTRIBUTE_REQUIRED"),
        ),
    ],
)
async def test_a_variant_that_breaks_a_rule_is_refused(
    cast: Cast, variant: dict[str, str], status: int, code: str
) -> None:
    product_id = (await a_product(cast, initial_stock=0))["product_id"]
    await cast.admin.post("product", f"/products/{product_id}/variants", {"sku": "LAMP-RED", "color": "red"})

    refused = await cast.admin.post("product", f"/products/{product_id}/variants", variant)

    assert (refused.status, refused.code) == (status, code)


@pytest.mark.sequence("SEQ-VAR-001", exception="PRODUCT_NOT_FOUND")
async def test_a_variant_of_nothing_is_refused(cast: Cast) -> None:
    refused = await cast.admin.post("product", "/products/nothing/variants", {"sku": "NOTHING-RED", "color": "red"})

    assert (refused.status, refused.code) == (404, "PRODUCT_NOT_FOUND")


@pytest.mark.rule("BR-PRICE-001")
@pytest.mark.sequence("SEQ-PRICE-001")
async def test_a_changed_price_is_shown_and_the_previous_one_kept(cast: Cast) -> None:
    product_id = (await a_product(cast))["product_id"]

    changed = await cast.admin.ask("PUT", "product", f"/products/{product_id}/price", {"price": "24.50"})

    history = await cast.admin.get("product", f"/products/{product_id}/price-history")
    assert changed.status == 200
    assert [entry["previous_price"] for entry in history["items"]] == ["19.99"]


@pytest.mark.sequence("SEQ-PRICE-001", exception="INVALID_PRICE")
async def test_a_price_of_nothing_is_refused(cast: Cast) -> None:
    product_id = (await a_product(cast))["product_id"]

    refused = await cast.admin.ask("PUT", "product", f"/products/{product_id}/price", {"price": "0.00"})

    assert (refused.status, refused.code) == (400, "INVALID_PRICE")


@pytest.mark.sequence("SEQ-PRICE-001", exception="PRODUCT_NOT_FOUND")
async def test_a_price_for_nothing_is_refused(cast: Cast) -> None:
    refused = await cast.admin.ask("PUT", "product", "/products/nothing/price", {"price": "24.50"})

    assert (refused.status, refused.code) == (404, "PRODUCT_NOT_FOUND")
