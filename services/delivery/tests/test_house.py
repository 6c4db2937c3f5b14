"""What holds of Delivery as a whole: its schema is its migrations', its README says what its code does."""

import re
from pathlib import Path

from chassis.schema import schema_drift
from contracts.catalogue import EVENTS
from delivery.app import NAME
from delivery.db import DeliveryTable

from .factories import Desk

README = Path(__file__).parents[1] / "README.md"


async def test_the_migrations_make_what_the_code_expects(desk: Desk) -> None:
    assert await schema_drift(desk.database, DeliveryTable.metadata) == []


def test_the_readme_says_what_is_published() -> None:
    ours = {event.event_type for event in EVENTS.values() if event.producer() == NAME}

    assert _events_under("Publishes") == ours


async def test_the_readme_says_what_is_reacted_to(desk: Desk) -> None:
    assert _events_under("Reacts to") == {event.event_type for event in desk.service.reactions}


def test_the_readme_has_four_headings() -> None:
    assert re.findall("^## (.+)$", README.read_text(), re.MULTILINE) == ["Owns", "Publishes", "Reacts to", "Run"]


def _events_under(heading: str) -> set[str]:
    section = README.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return {name for name in re.findall("`([a-z_.]+)`", section) if name in EVENTS}
