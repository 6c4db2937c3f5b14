"""The keys that people's tokens are signed with: published, several at once, and exchanged while everything runs."""

import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from chassis.keys import KeyRing, Signer, new_keypair
from sales.customers.published_keys import PublishedKeys
from services.sales.tests.factories import MAIL_SECRET, PEOPLES_KEY, PEOPLES_PUBLIC_KEY, Sales, running, settings
from services.sales.tests.fake_product import SALES_PUBLIC_KEY, FakeProduct
from services.sales.tests.profiles import customer, logged_in, registered, renewed

JWKS = "/.well-known/jwks.json"
NEW_KEY, NEW_PUBLIC_KEY = new_keypair("people-2", ["customer", "warehouse", "admin"])


async def published(sales: Sales, **headers: str) -> httpx.Response:
    async with sales.client(None, **headers) as client:
        return await client.get(JWKS)


async def is_believed(sales: Sales, token: str) -> bool:
    async with sales.client(None, Authorization=f"Bearer {token}") as client:
        answer = await client.get("/api/v1/customers/me")
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


def with_keys(
    database_url: str, product: FakeProduct, *trusted: Any, login: str = PEOPLES_KEY
) -> AbstractAsyncContextManager[Sales]:
    return running(database_url, product, **keys(trusted, login))


def keys(trusted: Sequence[Any], login: str) -> dict[str, Any]:
    return {
        "trusted_keys": json.dumps({"keys": [*trusted, SALES_PUBLIC_KEY]}),
        "accounts": {"login_key": login, "mail_secret": MAIL_SECRET},
    }


async def test_the_keys_of_people_are_published_and_those_of_services_are_not(sales: Sales) -> None:
    answer = await published(sales)

    assert answer.status_code == 200
    assert answer.json() == {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": PEOPLES_PUBLIC_KEY["x"],
                "kid": "people",
                "alg": "EdDSA",
                "use": "sig",
            }
        ]
    }


def test_nothing_but_the_public_half_leaves_whatever_stands_in_the_setting() -> None:
    private = json.loads(PEOPLES_KEY)

    shown = PublishedKeys(json.dumps({"keys": [{**private, "note": "ours"}]})).view.model_dump_json()

    assert private["d"] not in shown
    assert "ours" not in shown
    assert private["x"] in shown


async def test_anybody_can_check_a_token_with_what_is_published(sales: Sales) -> None:
    await registered(sales)
    token = (await logged_in(sales)).json()["access_token"]

    [key] = (await published(sales)).json()["keys"]

    # Who may say what with it, everybody decides for themselves.
    ring = KeyRing({"keys": [{**key, "iss": "orderflow", "roles": ["customer"]}]})
    assert ring.verify(token, "elsewhere").is_customer


async def test_they_may_be_kept_for_a_while_and_are_not_sent_again(sales: Sales) -> None:
    first = await published(sales)

    again = await published(sales, **{"If-None-Match": first.headers["etag"]})

    assert first.headers["cache-control"] == "public, max-age=300"
    assert (again.status_code, again.content) == (304, b"")


async def test_a_token_of_the_old_key_is_good_as_long_as_its_public_half_is_trusted(
    database_url: str, product: FakeProduct
) -> None:
    async with with_keys(database_url, product, PEOPLES_PUBLIC_KEY) as before:
        await registered(before)
        old = (await logged_in(before)).json()
        assert await is_believed(before, old["access_token"])

    async with with_keys(database_url, product, PEOPLES_PUBLIC_KEY, NEW_PUBLIC_KEY, login=NEW_KEY) as meanwhile:
        new = (await logged_in(meanwhile)).json()
        assert await is_believed(meanwhile, old["access_token"])
        assert await is_believed(meanwhile, new["access_token"])
        assert [key["kid"] for key in (await published(meanwhile)).json()["keys"]] == ["people", "people-2"]

    async with with_keys(database_url, product, NEW_PUBLIC_KEY, login=NEW_KEY) as after:
        assert not await is_believed(after, old["access_token"])
        assert await is_believed(after, new["access_token"])
        # Whoever was logged in before goes on, with a token of the new key.
        assert await is_believed(after, (await renewed(after, old["refresh_token"])).json()["access_token"])


async def test_a_key_that_is_only_said_to_be_the_trusted_one_is_not_believed(
    database_url: str, product: FakeProduct
) -> None:
    forged, _ = new_keypair("people-2", ["customer", "warehouse", "admin"])

    async with with_keys(database_url, product, PEOPLES_PUBLIC_KEY, NEW_PUBLIC_KEY) as sales:
        await customer(sales)

        assert await is_believed(sales, Signer(NEW_KEY).token("grace", ["customer"]))
        assert not await is_believed(sales, Signer(forged).token("grace", ["customer"]))


@pytest.mark.parametrize(
    ("login", "words"),
    [
        (NEW_KEY, "the public half of login_key must be among trusted_keys"),
        (json.dumps({**json.loads(NEW_KEY), "kid": "people"}), "the public half of login_key must be among"),
        ("not a key", "login_key must be a JWK"),
        ("{}", "login_key must be a JWK"),
    ],
)
def test_sales_does_not_start_with_a_key_that_nobody_would_believe(login: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as refused:
        settings("postgresql://nowhere", FakeProduct(), **keys([PEOPLES_PUBLIC_KEY], login))

    assert json.loads(NEW_KEY)["d"] not in str(refused.value)
