"""The README says what the code does."""

from sales.settings import SalesSettings
from services.sales.tests.factories import Sales
from tests.harness.readme import HEADINGS, Readme, made_by, promised_of

README = Readme("sales")


def test_it_has_its_four_headings() -> None:
    assert README.headings == HEADINGS


def test_it_names_the_events_that_are_published() -> None:
    assert README.events("Publishes") == made_by("sales") == promised_of("sales")


def test_it_names_the_events_that_are_reacted_to(sales: Sales) -> None:
    assert README.events("Reacts to") == set(sales.service.subscription.bindings)


def test_it_names_the_settings() -> None:
    assert README.settings("SALES") == set(SalesSettings.model_fields)
