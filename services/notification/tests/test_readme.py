"""The README says what the code does."""

import json
import re
from pathlib import Path

import pytest

from chassis.broker import InProcessBroker
from chassis.keys import new_keypair
from chassis.service import Service
from notification.app import build
from notification.settings import NotificationSettings
from tests.harness.readme import HEADINGS, Readme, made_by, promised_of

README = Readme("notification")


@pytest.fixture
def service(tmp_path: Path) -> Service:
    private, public = new_keypair("notification", ["service"])
    settings = NotificationSettings.model_validate(
        {
            "database_url": "postgresql+asyncpg://nobody@localhost/nothing",
            "trusted_keys": json.dumps({"keys": [public]}),
            "signing_key": private,
            "mail_secret": "hush",
            "folder": tmp_path,
        }
    )
    return build(settings, InProcessBroker())


def test_it_has_its_four_headings() -> None:
    assert README.headings == HEADINGS


def test_it_names_the_events_that_are_published() -> None:
    assert README.events("Publishes") == made_by("notification") == promised_of("notification")
    assert README.section("Publishes").startswith("Nothing")


async def test_it_names_the_routes_that_there_are(service: Service) -> None:
    paths = service.app().openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}

    named = {f"{method} /api/v1{path}" for method, path in re.findall(r"`([A-Z]+) (/[^`?]+)`", README.section("Owns"))}
    assert named == {route for route in routes if "/api/v1/" in route}


async def test_it_names_the_events_that_are_reacted_to(service: Service) -> None:
    assert README.events("Reacts to") == set(service.subscription.bindings)


def test_it_names_the_settings() -> None:
    found = {name.partition("__")[0] for name in README.settings("NOTIFICATION")}

    assert found == set(NotificationSettings.model_fields)
