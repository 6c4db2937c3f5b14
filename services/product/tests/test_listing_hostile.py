"""What nobody browses in good faith is refused with a reason or finds nothing; it never breaks the catalogue."""

import base64
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from chassis.db import Database
from services.product.tests.factories import put_on_sale
from services.product.tests.factories_listing import LIST


def cursor(*key: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).rstrip(b"=").decode()


REFUSED = [
    ("limit", "0"),
    ("limit", "101"),
    ("limit", "-1"),
    ("limit", "1e9"),
    ("limit", "9" * 40),
    ("sort", "price; DROP TABLE products"),
    ("sort", ""),
    ("category_id", "kitchen"),
    ("category_id", "\x00"),
    ("q", "\x00"),
    ("q", "x" * 201),
    ("price_from", "-1"),
    ("price_from", "1,50"),
    ("price_from", "1e3"),
    ("price_from", "NaN"),
    ("price_to", "9" * 30),
    ("price_to", "10000000000.01"),
    ("in_stock", "perhaps"),
    ("include_inactive", "perhaps"),
    ("offset", "1000000000"),
    ("cursor", ""),
    ("cursor", "x"),
    ("cursor", "é"),
    ("cursor", "A" * 600),
    ("cursor", cursor("cheapest", 1, "mug")),
    ("cursor", cursor("newest", "2026-01-02T03:04:05Z")),
    ("cursor", cursor("newest", "2026-01-02T03:04:05", "mug")),
    ("cursor", cursor("newest", "0001-01-01T00:00:00+14:00", "mug")),
    ("cursor", cursor("newest", "9999-12-31T23:59:59-14:00", "mug")),
    ("cursor", cursor("newest", "2026-01-02T03:04:05Z", "a b")),
    ("cursor", cursor("newest", "2026-01-02T03:04:05Z", "\x00")),
]


@pytest.mark.parametrize(("name", "value"), REFUSED, ids=[f"{name}-{at}" for at, (name, _) in enumerate(REFUSED)])
async def test_what_makes_no_sense_is_refused_by_its_name(client: httpx.AsyncClient, name: str, value: str) -> None:
    answer = await client.get(LIST, params={name: value})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    if "\x00" not in value:
        assert answer.json()["error"]["details"][0]["field"] == name


@pytest.mark.parametrize("price", [-1, 10**12 + 1, 2**63, 1.5, "1"])
async def test_a_cursor_at_a_price_that_nothing_has_is_not_ours(client: httpx.AsyncClient, price: Any) -> None:
    for sort in ("cheapest", "dearest"):
        answer = await client.get(LIST, params={"sort": sort, "cursor": cursor(sort, price, "mug")})

        assert answer.status_code == 400


async def test_a_cursor_of_one_order_does_not_lead_on_in_another(client: httpx.AsyncClient, database: Database) -> None:
    for number in range(3):
        await put_on_sale(database, f"mug-{number}", 1)
    cheapest = (await client.get(LIST, params={"sort": "cheapest", "limit": "1"})).json()["next_cursor"]

    answers = {
        sort: (await client.get(LIST, params={"sort": sort, "cursor": cheapest})).status_code
        for sort in ("cheapest", "dearest", "newest")
    }

    assert answers == {"cheapest": 200, "dearest": 400, "newest": 400}


@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed=st.text(max_size=220))
async def test_whatever_is_typed_is_searched_for_or_refused(client: httpx.AsyncClient, typed: str) -> None:
    answer = await client.get(LIST, params={"q": typed.encode("utf-8", "replace").decode()})

    assert answer.status_code in {200, 400}
