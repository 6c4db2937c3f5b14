"""What a service's README says of it, and what of that its code says itself; the service's tests compare them."""

import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from contracts.events import EVENTS

SERVICES = Path(__file__).parents[2] / "services"
HEADINGS = ["Owns", "Publishes", "Reacts to", "Run"]


class Readme:
    def __init__(self, service: str) -> None:
        self._text = (SERVICES / service / "README.md").read_text()

    @property
    def headings(self) -> list[str]:
        return re.findall(r"^## (.+)$", self._text, re.MULTILINE)

    def section(self, heading: str) -> str:
        return self._text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0].strip()

    def events(self, heading: str) -> set[str]:
        return set(re.findall(r"`(\w+\.\w+)`", self.section(heading)))

    def settings(self, prefix: str) -> set[str]:
        """As the fields of the settings are called."""
        return {name.lower() for name in re.findall(rf"`{prefix}_(\w+)`", self.section("Run"))}


def made_by(service: str) -> set[str]:
    """The events of its own that its modules name, which they do for no other reason than to publish them."""
    found = walk_packages(import_module(service).__path__, f"{service}.")
    modules = [import_module(module.name) for module in found]
    things = [thing for module in modules for thing in vars(module).values()]
    return {name for name in promised_of(service) if EVENTS[name] in things}


def promised_of(service: str) -> set[str]:
    """The events that the contracts say come from it."""
    return {name for name, event in EVENTS.items() if event.producer() == service}
