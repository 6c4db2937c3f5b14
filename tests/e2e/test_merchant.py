"""A merchant puts a product on sale, in variants; a customer finds and orders one; the ledger knows of every piece."""

from typing import Any
from uuid import uuid4

from .people import Answer, Customer, Person, Staff


async def create(merchant: Person, path: str, body: dict[str, Any]) -> Any:
    answer = await merchant.ask("POST", "product", path, json=body, headers={"Idempotency-Key": uuid4().hex})
    assert answer.status == 201, answer
    return answer.body


async def order(customer: Customer, product_id: str, quantity: int, variant_id: str | None = None) -> Answer:
    body = {
        "items": [{"product_id": product_id, "variant_id": variant_id, "quantity": quantity}],
        "shipping_address": {
            "name": "Ada",
            "line1": "12 Analytical Row",
            "city": "Springfield",
            "postal_code": "62701",
            "country": "US",
        },
    }
    return await customer.ask("POST", "sales", "/orders", json=body, headers={"Idempotency-Key": uuid4().hex})


async def test_a_new_product_is_found_ordered_by_variant_and_accounted_for(
    merchant: Person, customer: Customer, staff: Staff
) -> None:
    name = f"Tamper {uuid4().hex[:8]}"
    parent = await create(merchant, "/categories", {"name": f"Tools {uuid4().hex[:8]}"})
    category = await create(
        merchant, "/categories", {"name": f"Tampers {uuid4().hex[:8]}", "parent_id": parent["category_id"]}
    )
    product = await create(
        merchant, "/products", {"name": name, "category_id": category["category_id"], "price": "24.50"}
    )
    product_id = product["product_id"]
    steel = await create(
        merchant,
        f"/products/{product_id}/variants",
        {"sku": f"T-{uuid4().hex[:12]}", "color": "steel", "initial_stock": 3},
    )
    variant_id = steel["variant_id"]

    found = await customer.see("product", f"/products?category_id={parent['category_id']}&in_stock=true")
    without = await order(customer, product_id, 1)
    ordered = await order(customer, product_id, 2, variant_id)
    too_many = await order(customer, product_id, 2, variant_id)
    restocked = await staff.ask(
        "POST",
        "product",
        f"/products/{product_id}/restocks",
        json={"variant_id": variant_id, "quantity": 5},
        headers={"Idempotency-Key": uuid4().hex},
    )
    dearer = await merchant.ask("PUT", "product", f"/products/{product_id}/price", json={"price": "26.00"})
    later = await order(customer, product_id, 1, variant_id)
    await merchant.ask("POST", "product", f"/products/{product_id}/deactivation")
    gone = await order(customer, product_id, 1, variant_id)

    assert [each["product_id"] for each in found["items"]] == [product_id]
    assert (without.status, without.code) == (400, "VARIANT_REQUIRED")
    assert (ordered.status, ordered.body["items"][0]["unit_price"]) == (201, "24.50")
    assert ordered.body["items"][0]["variant_id"] == variant_id
    assert (too_many.status, too_many.code) == (400, "INSUFFICIENT_STOCK")
    assert (restocked.status, restocked.body["available"]) == (201, 6)
    assert (dearer.status, later.body["items"][0]["unit_price"]) == (200, "26.00")
    assert (gone.status, gone.code) == (400, "INSUFFICIENT_STOCK")
    stock = (await staff.see("product", f"/products/{product_id}/stock"))["lines"]
    movements = (await staff.see("product", f"/products/{product_id}/stock/movements?variant_id={variant_id}"))["items"]
    [line] = [line for line in stock if line["variant_id"] == variant_id]
    assert (line["on_hand"], line["reserved"]) == (8, 3)
    assert sum(each["on_hand_change"] for each in movements) == 8
    assert sum(each["reserved_change"] for each in movements) == 3
    audited = await merchant.see("product", f"/audit?entity_type=product&entity_id={product_id}")
    assert "product.deactivated" in [entry["action"] for entry in audited["items"]]
