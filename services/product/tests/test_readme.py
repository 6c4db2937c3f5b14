"""The README says what the code does."""

import re

from chassis.broker import InProcessBroker
from product.app import build
from product.settings import ProductSettings
from services.product.tests.factories import settings
from tests.harness.readme import HEADINGS, Readme, made_by, promised_of

NOWHERE = "postgresql+asyncpg://nobody@localhost/nothing"
README = Readme("product")


def test_it_has_its_four_headings() -> None:
    assert README.headings == HEADINGS


def test_it_names_the_events_that_are_published() -> None:
    assert README.events("Publishes") == made_by("product") == promised_of("product")


def test_it_names_the_routes_that_there_are() -> None:
    paths = build(settings(NOWHERE), InProcessBroker()).app().openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}

    named = {f"{method} /api/v1{path}" for method, path in re.findall(r"`([A-Z]+) (/[^`?]+)`", README.section("Owns"))}
    assert named == {route for route in routes if "/api/v1/" in route}


async def test_it_names_the_events_that_are_reacted_to() -> None:
    service = build(settings(NOWHERE), InProcessBroker())

    assert README.events("Reacts to") == set(service.subscription.bindings)
    assert README.section("Reacts to").startswith("Nothing")


def test_it_names_the_settings() -> None:
    assert README.settings("PRODUCT") == set(ProductSettings.model_fields)
