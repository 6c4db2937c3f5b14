"""Who may do what at Sales: every route, for everybody; and nobody has a hand in what belongs to another customer."""

from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher

from chassis.ids import uuid7
from chassis.keys import Signer
from services.sales.tests.factories import CHEAP, PEOPLES_KEY, Sales, running, wanted
from services.sales.tests.fake_product import SALES_KEY, FakeProduct, Ware
from services.sales.tests.profiles import HOME, PASSWORD, WORK, customer
from services.sales.tests.returning import arrived, goods
from tests.harness.access import CUSTOMER, OTHER, World, as_everybody, table

ACCESS = table("""
    #                                                             anonymous customer other warehouse admin service
    GET    /.well-known/jwks.json                                       200      200   200       200   200     200

    # Whoever knows the password, or has the token that was mailed.
    POST   /api/v1/customers                                            201      201   201       201   201     201
    POST   /api/v1/customers/verifications                              400      400   400       400   400     400
    POST   /api/v1/customers/verification-requests                      202      202   202       202   202     202
    POST   /api/v1/customers/password-reset-requests                    202      202   202       202   202     202
    POST   /api/v1/customers/password-resets                            400      400   400       400   400     400
    POST   /api/v1/sessions                                             200      200   200       200   200     200
    POST   /api/v1/sessions/renewal                                     401      401   401       401   401     401
    POST   /api/v1/sessions/logout                                      204      204   204       204   204     204

    # Everybody has a page, sessions and a cart of their own, and what is in them nobody else has.
    GET    /api/v1/customers/me                                         401      200   200       403   403     403
    PATCH  /api/v1/customers/me                                         401      200   200       403   403     403
    DELETE /api/v1/customers/me                                         401      204   204       403   403     403
    PUT    /api/v1/customers/me/password                                401      204   204       403   403     403
    DELETE /api/v1/sessions                                             401      204   204       403   403     403
    GET    /api/v1/customers/me/addresses                               401      200   200       403   403     403
    POST   /api/v1/customers/me/addresses                               401      201   201       403   403     403
    PUT    /api/v1/customers/me/addresses/{address_id}                  401      200   404       403   403     403
    DELETE /api/v1/customers/me/addresses/{address_id}                  401      204   404       403   403     403
    POST   /api/v1/customers/me/addresses/{address_id}/default          401      200   404       403   403     403
    POST   /api/v1/guest-carts                                          201      201   201       201   201     201
    GET    /api/v1/cart                                                 401      200   200       403   403     403
    DELETE /api/v1/cart                                                 401      200   200       403   403     403
    POST   /api/v1/cart/items                                           401      201   201       403   403     403
    PUT    /api/v1/cart/items/{item_id}                                 401      200   404       403   403     403
    DELETE /api/v1/cart/items/{item_id}                                 401      200   404       403   403     403

    POST   /api/v1/orders                                               401      201   201       403   403     403
    # The other one's cart is empty.
    POST   /api/v1/checkout                                             401      201   400       403   403     403
    GET    /api/v1/orders                                               401      200   200       403   200     403
    GET    /api/v1/orders/{order_id}                                    401      200   404       403   200     403
    GET    /api/v1/orders/{order_id}/timeline                           401      200   404       403   200     403
    GET    /api/v1/orders/{order_id}/tracking                           401      200   404       403   200     403
    POST   /api/v1/orders/{order_id}/cancellation                       401      200   404       403   200     403

    # This order has yet to be delivered, the goods of this return have yet to come.
    POST   /api/v1/orders/{order_id}/returns                            401      409   404       403   409     403
    GET    /api/v1/orders/{order_id}/returns                            401      200   404       403   200     403
    GET    /api/v1/returns                                              401      403   403       200   200     403
    GET    /api/v1/returns/{return_id}                                  401      200   404       200   200     403
    POST   /api/v1/returns/{return_id}/receipt                          401      403   403       200   200     403
    POST   /api/v1/returns/{return_id}/refund                           401      403   403       403   409     403
    POST   /api/v1/returns/{return_id}/rejection                        401      403   403       200   200     403

    POST   /api/v1/orders/{order_id}/confirmation                       401      403   403       403   200     403
    DELETE /api/v1/customers/{customer_id}                              401      403   403       403   204     403
    GET    /api/v1/payments                                             401      403   403       403   200     403
    GET    /api/v1/payments/{payment_id}                                401      403   403       403   200     403
    POST   /api/v1/payments/{payment_id}/capture                        401      403   403       403   200     403
    GET    /api/v1/refunds                                              401      403   403       403   200     403
    # There is none.
    POST   /api/v1/refunds/{refund_id}/completion                       401      403   403       403   404     403
    GET    /api/v1/attempts/stuck                                       401      403   403       403   200     403
    GET    /api/v1/audit                                                401      403   403       403   200     403
    # For whoever can sign: no token says so.
    POST   /api/v1/payment-webhooks/{gateway}                           401      401   401       401   401     401
""")

WEBHOOK_SECRET = "whsec_dGVzdC1zZWNyZXQtdGVzdC1zZWNyZXQtdGVzdA=="
_EMAIL = {"email": f"{CUSTOMER}@example.org"}
_NO_TOKEN = "n" * 43
BODIES = {
    "POST /api/v1/orders": wanted(),
    "POST /api/v1/orders/{order_id}/cancellation": {"reason": "Found it cheaper."},
    "POST /api/v1/orders/{order_id}/returns": {"items": goods("lamp")},
    "POST /api/v1/returns/{return_id}/receipt": {"restock": True},
    "POST /api/v1/returns/{return_id}/rejection": {"reason": "It is worn out."},
    "POST /api/v1/checkout": {"card_token": "tok_ok"},
    "POST /api/v1/refunds/{refund_id}/completion": {"reference": "bank-17"},
    "POST /api/v1/payment-webhooks/{gateway}": {},
    "POST /api/v1/cart/items": {"product_id": "lamp", "quantity": 1},
    "PUT /api/v1/cart/items/{item_id}": {"quantity": 3},
    "POST /api/v1/customers": {"email": "new@example.org", "password": PASSWORD, "name": "New"},
    "POST /api/v1/customers/verifications": {"token": _NO_TOKEN},
    "POST /api/v1/customers/verification-requests": _EMAIL,
    "POST /api/v1/customers/password-reset-requests": _EMAIL,
    "POST /api/v1/customers/password-resets": {"token": _NO_TOKEN, "new_password": "orange tigers hum loudly"},
    "PUT /api/v1/customers/me/password": {"password": PASSWORD, "new_password": "orange tigers hum loudly"},
    "POST /api/v1/sessions": {"email": f"{OTHER}@example.org", "password": PASSWORD},
    "POST /api/v1/sessions/renewal": {"refresh_token": _NO_TOKEN},
    "POST /api/v1/sessions/logout": {"refresh_token": _NO_TOKEN},
    "PATCH /api/v1/customers/me": {"name": "Another"},
    "DELETE /api/v1/customers/me": {"password": PASSWORD},
    "DELETE /api/v1/customers/{customer_id}": {"reason": "Asked by letter."},
    "POST /api/v1/customers/me/addresses": WORK,
    "PUT /api/v1/customers/me/addresses/{address_id}": WORK,
}


@pytest.fixture
async def manual(database_url: str, product: FakeProduct) -> AsyncIterator[Sales]:
    """A Sales where orders wait for somebody to take the money, and where nothing runs out."""
    product.wares["lamp"] = Ware(10**9, 1999, "A lamp")
    async with running(
        database_url, product, payments={"capture": "manual", "webhook_secret": WEBHOOK_SECRET}
    ) as sales:
        yield sales


async def test_every_route_answers_everybody_as_the_table_says(manual: Sales) -> None:
    headers = as_everybody(Signer(PEOPLES_KEY), Signer(SALES_KEY), "sales")
    world = World(
        manual.app,
        manual.service.database,
        headers,
        lambda world: furnish(manual, world, headers["customer"]),
        BODIES,
        belongings=frozenset({"address_id", "order_id", "payment_id", "item_id", "return_id"}),
        apart=frozenset({"slowdowns"}),
    )

    answers, offences = await world.walk()

    assert answers == ACCESS
    assert offences == []


async def furnish(sales: Sales, world: World, headers: Any) -> None:
    """A customer who has all that a customer can have, and another one who has nothing."""
    for name in (CUSTOMER, OTHER):
        await customer(sales, name, email_verified=True, password_hash=password_hash())
    async with sales.client(None, **headers) as client:

        async def post(path: str, body: Any) -> Any:
            answer: httpx.Response = await client.post(f"/api/v1{path}", json=body)
            assert answer.is_success, answer.text
            return answer.json()

        address = await post("/customers/me/addresses", HOME)
        await post("/cart/items", {"product_id": "lamp", "quantity": 1})
        order = await post("/checkout", {"card_token": "tok_ok"})
        cart = await post("/cart/items", {"product_id": "lamp", "quantity": 2})
        old = await arrived(sales, await post("/orders", wanted(address=None)))
        sent_back = await post(f"/orders/{old['order_id']}/returns", {"items": goods("lamp")})
        await post("/sessions", {**_EMAIL, "password": PASSWORD})
    [payment] = await sales.rows("SELECT id FROM payments")
    world.names = {
        "customer_id": CUSTOMER,
        "address_id": address["address_id"],
        "order_id": order["order_id"],
        "payment_id": str(payment["id"]),
        "refund_id": str(uuid7()),
        "item_id": cart["items"][0]["item_id"],
        "return_id": sent_back["return_id"],
        "gateway": "sandbox",
    }


@cache
def password_hash() -> str:
    return PasswordHasher(CHEAP.rounds, CHEAP.memory_kib, CHEAP.lanes).hash(PASSWORD)
