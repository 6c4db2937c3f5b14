"""What holds of Delivery as a whole: its schema is its migrations', its README says what its code does."""

from chassis.schema import schema_drift
from delivery.db import DeliveryTable
from tests.harness.readme import HEADINGS, Readme, made_by, promised_of

from .factories import Desk

README = Readme("delivery")


async def test_the_migrations_make_what_the_code_expects(desk: Desk) -> None:
    assert await schema_drift(desk.database, DeliveryTable.metadata) == []


def test_the_readme_has_its_four_headings() -> None:
    assert README.headings == HEADINGS


def test_the_readme_names_the_events_that_are_published() -> None:
    assert README.events("Publishes") == made_by("delivery") == promised_of("delivery")


async def test_the_readme_names_the_events_that_are_reacted_to(desk: Desk) -> None:
    assert README.events("Reacts to") == set(desk.service.subscription.bindings)
