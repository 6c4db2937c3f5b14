"""The README says what the code does."""

import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import product
from chassis.broker import InProcessBroker
from contracts.envelope import Event
from product.app import build
from services.product.tests.factories import settings

README = Path(__file__).parents[1] / "README.md"


def section(title: str) -> str:
    return README.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def published() -> set[str]:
    modules = [import_module(found.name) for found in walk_packages(product.__path__, "product.") if not found.ispkg]
    named = [thing for module in modules for thing in vars(module).values()]
    return {thing.event_type for thing in named if isinstance(thing, type) and issubclass(thing, Event)}


def test_it_has_four_headings() -> None:
    assert re.findall(r"^## (.+)$", README.read_text(), re.MULTILINE) == ["Owns", "Publishes", "Reacts to", "Run"]


def test_it_names_the_events_that_the_code_publishes() -> None:
    assert set(re.findall(r"`(inventory\.\w+)`", section("Publishes"))) == published()


async def test_it_names_what_the_code_reacts_to() -> None:
    service = build(settings("postgresql+asyncpg://nobody@localhost/nothing"), InProcessBroker())

    assert set(re.findall(r"`(\w+\.\w+)`", section("Reacts to"))) == {event.event_type for event in service.reactions}
    assert section("Reacts to").strip().startswith("Nothing")


def test_it_names_the_settings_that_there_are() -> None:
    from product.settings import ProductSettings

    named = {name.removeprefix("PRODUCT_").lower() for name in re.findall(r"`(PRODUCT_\w+)`", section("Run"))}
    assert named == set(ProductSettings.model_fields)
