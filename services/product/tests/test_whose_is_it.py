"""Who may do what at Product: every route, for everybody. Nothing here belongs to a customer."""

import httpx

from chassis.broker import InProcessBroker
from chassis.db import Database
from chassis.ids import uuid7
from product.app import build
from services.product.tests.factories import as_person, as_service, settings
from tests.harness.access import World, table

ACCESS = table("""
    #                                                             anonymous customer other warehouse admin service
    GET   /api/v1/products                                              200      200   200       200   200     200
    GET   /api/v1/products/{product_id}                                 200      200   200       200   200     200
    GET   /api/v1/categories                                            200      200   200       200   200     200
    GET   /api/v1/categories/{category_id}                              200      200   200       200   200     200
    POST  /api/v1/products/check-availability                           200      200   200       200   200     200
    POST  /api/v1/products/quotes                                       200      200   200       200   200     200

    POST  /api/v1/categories                                            401      403   403       403   201     403
    PATCH /api/v1/categories/{category_id}                              401      403   403       403   200     403
    POST  /api/v1/products                                              401      403   403       403   201     403
    PATCH /api/v1/products/{product_id}                                 401      403   403       403   200     403
    POST  /api/v1/products/{product_id}/deactivation                    401      403   403       403   200     403
    POST  /api/v1/products/{product_id}/activation                      401      403   403       403   200     403
    PUT   /api/v1/products/{product_id}/price                           401      403   403       403   200     403
    GET   /api/v1/products/{product_id}/price-history                   401      403   403       403   200     403
    POST  /api/v1/products/{product_id}/variants                        401      403   403       403   201     403
    PUT   /api/v1/products/{product_id}/variants/{variant_id}/price     401      403   403       403   200     403
    GET   /api/v1/audit                                                 401      403   403       403   200     403

    POST  /api/v1/products/{product_id}/restocks                        401      403   403       201   201     403
    POST  /api/v1/products/{product_id}/stock-corrections               401      403   403       201   201     403
    GET   /api/v1/products/{product_id}/stock                           401      403   403       200   200     403
    GET   /api/v1/products/{product_id}/stock/movements                 401      403   403       200   200     403

    POST  /api/v1/reservations                                          401      403   403       403   403     200
    POST  /api/v1/reservations/releases                                 401      403   403       403   403     200
    POST  /api/v1/reservations/deductions                               401      403   403       403   403     200
    POST  /api/v1/returned-stock                                        401      403   403       403   403     200
    GET   /api/v1/reservations/{reservation_id}                         401      403   403       403   200     200
""")

_ITEMS = [{"product_id": "{product_id}", "variant_id": "{variant_id}", "quantity": 1}]
_HOLD = {"reservation_id": "{reservation_id}", "items": _ITEMS}
_PIECES = {"variant_id": "{variant_id}", "quantity": 1}
BODIES = {
    "POST /api/v1/products/check-availability": {"items": _ITEMS},
    "POST /api/v1/products/quotes": {"items": _ITEMS},
    "POST /api/v1/categories": {"name": "Glass"},
    "PATCH /api/v1/categories/{category_id}": {"name": "Earthenware"},
    "POST /api/v1/products": {"name": "Bowl", "price": "9.00", "category_id": "{category_id}"},
    "PATCH /api/v1/products/{product_id}": {"name": "Cup"},
    "PUT /api/v1/products/{product_id}/price": {"price": "15.00"},
    "POST /api/v1/products/{product_id}/variants": {"sku": "mug-xl", "size": "XL"},
    "PUT /api/v1/products/{product_id}/variants/{variant_id}/price": {"price": "16.00"},
    "POST /api/v1/products/{product_id}/restocks": _PIECES,
    "POST /api/v1/products/{product_id}/stock-corrections": {**_PIECES, "reason": "Counted again."},
    "POST /api/v1/reservations": {"reservations": [_HOLD]},
    "POST /api/v1/reservations/releases": {"reservation_ids": ["{reservation_id}"]},
    "POST /api/v1/returned-stock": {"return_id": "{reservation_id}", "items": _ITEMS},
    "POST /api/v1/reservations/deductions": {"reservation_ids": ["{reservation_id}"]},
}


async def test_every_route_answers_everybody_as_the_table_says(
    url: str, database: Database, client: httpx.AsyncClient
) -> None:
    async def post(path: str, body: object, headers: dict[str, str]) -> dict[str, str]:
        answer = await client.post(f"/api/v1{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        return dict(answer.json())

    async def furnish(world: World) -> None:
        admin = as_person("admin")
        category = (await post("/categories", {"name": "Stoneware"}, admin))["category_id"]
        mug = {"product_id": "mug", "name": "Mug", "price": "14.00", "category_id": category}
        await post("/products", mug, admin)
        variant = await post("/products/mug/variants", {"sku": "mug-l", "size": "L", "initial_stock": 9}, admin)
        world.names = {
            "product_id": "mug",
            "category_id": category,
            "variant_id": variant["variant_id"],
            "reservation_id": str(uuid7()),
        }
        held = [{**item, "product_id": "mug", "variant_id": variant["variant_id"]} for item in _ITEMS]
        hold = {"reservation_id": world.names["reservation_id"], "items": held}
        await post("/reservations", {"reservations": [hold]}, as_service())

    service = build(settings(url), InProcessBroker())
    headers = {caller: as_person(caller) for caller in ("customer", "warehouse", "admin")}
    headers |= {"other": as_person("customer"), "service": as_service()}
    try:
        answers, offences = await World(service.app(), database, headers, furnish, BODIES).walk()
    finally:
        for thing in service.closes:
            await thing.close()
        await service.database.close()

    assert answers == ACCESS
    assert offences == []
