"""A repository for a run of pytest with the plugin: a design, steps that walk it, and the walks it is given."""

import json
from typing import Any

import pytest

from .factories import document

SHOP = """
import pytest
from chassis.errors import Conflict
from chassis.steps import note_event, step

class InsufficientStock(Conflict):
    code = "INSUFFICIENT_STOCK"

@step("Orders", "placeOrder")
def place(stock=5, left_out=""):
    if left_out != "hold":
        hold(stock)
    for _ in range(0 if left_out == "make" else 1):
        make()
    if left_out != "sendMail":
        send_mail()

@step("Stock", "hold")
def hold(stock):
    if not stock:
        raise InsufficientStock("None left.")
    note_event("StockHeld")

@step("Orders", "make")
def make():
    note_event("OrderMade")

@step("Mail", "sendMail")
def send_mail():
    pass

def refused():
    with pytest.raises(InsufficientStock):
        place(stock=0)

on_both = pytest.mark.parametrize("broker", ["in process", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
"""


class Shop:
    """A repository with one design, of two paths, and the walks that it is given."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        pytester.makeini("[pytest]\nmarkers = rabbitmq\nstrict_markers = true\ntestpaths = tests other")
        self.designs(document(exceptions=document()["exceptions"][:1]))
        (pytester.mkdir("other") / "test_other.py").write_text("def test_other(): pass")
        pytester.path.joinpath("tests", "sequences").mkdir(parents=True)

    def designs(self, *designs: dict[str, Any]) -> None:
        folder = self._pytester.path / "docs" / "sequences"
        folder.mkdir(parents=True, exist_ok=True)
        for design in designs:
            (folder / f"{design['id']}.json").write_text(json.dumps(design))

    def walks(self, *tests: str) -> None:
        (self._pytester.path / "tests" / "sequences" / "test_walks.py").write_text("\n".join([SHOP, *tests]))

    def run(self, *arguments: str) -> pytest.RunResult:
        plugins = ("-p", "sequences.walking", "-p", "no:asyncio", "-p", "no:cacheprovider")
        if "-n" in arguments:
            return self._pytester.runpytest_subprocess(*plugins, *arguments)
        return self._pytester.runpytest_inprocess(*plugins, *arguments)
