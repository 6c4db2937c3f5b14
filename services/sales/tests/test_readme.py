"""What the README says of events is what the code does."""

import re
from pathlib import Path

from contracts.catalogue import EVENTS
from contracts.sales import SalesEvent
from sales.settings import SalesSettings
from services.sales.tests.factories import Sales

README = (Path(__file__).parents[1] / "README.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL))
SOURCE = Path(__file__).parents[1] / "src"


def named(section: str) -> set[str]:
    return set(re.findall(r"^\| `([a-z]+\.[a-z_]+)`", SECTIONS[section], re.MULTILINE))


def test_it_has_its_four_headings() -> None:
    assert list(SECTIONS) == ["Owns", "Publishes", "Reacts to", "Run"]


def test_it_names_the_events_that_are_published() -> None:
    code = "".join(file.read_text() for file in SOURCE.rglob("*.py"))
    made = {name for name, event in EVENTS.items() if re.search(rf"\b{event.__name__}\(", code)}

    assert named("Publishes") == made
    assert made == {name for name, event in EVENTS.items() if issubclass(event, SalesEvent)}


def test_it_names_the_events_that_are_reacted_to(sales: Sales) -> None:
    assert named("Reacts to") == set(sales.service.subscription.bindings)


def test_it_names_the_settings() -> None:
    assert set(re.findall(r"`SALES_(\w+)`", SECTIONS["Run"])) == {name.upper() for name in SalesSettings.model_fields}
