"""What sequence designs may speak of: gathered from the contracts, the services' code and the documents."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from contracts.errors import CODES
from contracts.events import EVENTS
from sequences.checking import Language

from . import fleet

_LIVES: Final = {
    "Order": "sales.orders.model",
    "Payment": "sales.payments.model",
    "Return": "sales.returns.model",
    "Reservation": "product.inventory.model",
    "Shipment": "delivery.shipments.model",
    "Mail": "notification.mails.model",
}
"""Where the transition table of each entity stands."""
BEGINS: Final = {"Payment": ("AUTHORISING",), "Shipment": ("ON_HOLD", "READY"), "Mail": ("QUEUED",)}
"""Where those begin whose tables lead back to every state, or to one that others begin in."""
_RULE: Final = re.compile(r"^### ((?:BR|AC)-[A-Z]+-\d{3})\n+(.+?)$", re.MULTILINE)


def language(docs: Path) -> Language:
    return Language(
        events=frozenset(event.domain_name for event in EVENTS.values()),
        codes=frozenset(CODES),
        lives={name: frozenset(life) for name, life in lives().items()} | {"Customer": _statuses_of_customers()},
        rules=frozenset(rules(docs)),
        adrs=frozenset(adrs(docs)),
        steps=frozenset(steps()),
    )


def lives() -> dict[str, Mapping[str, Iterable[str]]]:
    return {name: import_module(module).NEXT for name, module in _LIVES.items()}


def rules(docs: Path) -> dict[str, str]:
    """By their ids, as the headings of rules.md have them; of each the first line."""
    return dict(_RULE.findall((docs / "rules.md").read_text()))


def adrs(docs: Path) -> dict[int, str]:
    return {int(path.name[:4]): path.name for path in sorted((docs / "adr").glob("[0-9]*.md"))}


def steps() -> set[tuple[str, str]]:
    """Every `@step(participant, action)` in the services, and what they send mail under."""
    packages = [*fleet.NAMES, "chassis"]
    sources = [source for package in packages for source in _sources(files(package))]
    named = {pair for source in sources for pair in _named(ast.parse(source.read_text()))}
    messages = import_module("notification.messages.catalogue").MESSAGES
    return named | {("EmailService", message.action) for message in messages.values()}


def _sources(folder: Any) -> Iterator[Any]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _sources(each)
        elif each.name.endswith(".py"):
            yield each


def _named(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        for call in getattr(node, "decorator_list", ()):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "step":
                participant, action = (argument.value for argument in call.args if isinstance(argument, ast.Constant))
                yield str(participant), str(action)


def _statuses_of_customers() -> frozenset[str]:
    return frozenset(import_module("contracts.sales.customers").CustomerStatus)
