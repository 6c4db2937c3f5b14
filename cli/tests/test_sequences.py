"""Designs are checked, drawn, and shown beside what really happened in a running system."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from contracts.errors import CODES
from orderflow.known import steps
from orderflow.limits import limits
from orderflow.sequences import as_tree
from orderflow.surroundings import failures
from sequences.comparing import Call
from sequences.observing import Happened
from sequences.reading import read
from sequences.timing import waits_for
from tests.harness.embedded import Embedded, embedded
from tests.harness.platform import Shopper, until

from .factories import call, called

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A copy of ours, to be changed at will."""
    copy = tmp_path / "docs"
    for part in ("sequences", "adr"):
        shutil.copytree(DOCS / part, copy / part)
    shutil.copy(DOCS / "rules.md", copy)
    return copy


def change(design: Path, old: str, new: str) -> None:
    text = design.read_text()
    assert old in text
    design.write_text(text.replace(old, new, 1))


def test_what_a_design_says_wrong_is_named_with_file_and_place(docs: Path) -> None:
    design = docs / "sequences" / "SEQ-CART-001.json"
    change(design, '"ItemAddedToCart"', '"NothingAdded"')
    change(design, '"checkAvailability"', '"checkTheWeather"')

    checked = call("sequences", "check", "--docs", str(docs))

    assert checked.exit_code == 1
    assert "SEQ-CART-001.json: steps.2.event: There is no event NothingAdded." in checked.stderr
    place = "SEQ-CART-001.json: steps.1.action"
    assert f"{place}: Nothing in the code is the step InventoryService.checkTheWeather." in checked.stderr


def test_documents_are_drawn_and_what_nobody_designed_any_more_goes(docs: Path) -> None:
    drawn = docs / "sequences" / "drawn"
    drawn.mkdir(exist_ok=True)
    (drawn / "SEQ-OLD-001.md").write_text("Once upon a time")

    drawing = call("sequences", "draw", "--docs", str(docs))

    assert drawing.exit_code == 0, drawing.output
    assert not (drawn / "SEQ-OLD-001.md").exists()
    assert "# SEQ-CART-001: Add to the cart" in (drawn / "SEQ-CART-001.md").read_text()
    assert json.loads((drawn / "collection.json").read_text())["summary"]["sequences_by_domain"]["cart"] == 4


def test_a_document_that_was_changed_by_hand_is_named(docs: Path) -> None:
    change(docs / "sequences" / "drawn" / "SEQ-CART-001.md", "Add to the cart", "Add to the heap")

    checked = call("sequences", "check", "--docs", str(docs))

    assert checked.exit_code == 1
    assert f"{docs}/sequences/drawn/SEQ-CART-001.md is out of date." in checked.stderr


def test_what_was_said_and_is_designed_otherwise_is_named(docs: Path) -> None:
    change(docs / "sequences" / "seen" / "exchanges.json", '"code": "OUT_OF_STOCK"', '"code": "NOT_FOUND"')

    checked = call("sequences", "check", "--docs", str(docs))

    assert checked.exit_code == 1
    assert (
        "seen/exchanges.json: SEQ-CART-001.OUT_OF_STOCK: "
        "It was answered with NOT_FOUND, and is designed to be with OUT_OF_STOCK."
    ) in checked.stderr


def test_what_the_documents_say_of_failing_is_what_the_contracts_say() -> None:
    assert [one for one in failures() if CODES[one.code][0] != one.status] == []


def test_of_all_that_a_step_waits_for_it_is_known_how_long() -> None:
    waited_for = {waits_for(step) for design in read(DOCS / "sequences").all for step in design.steps}

    assert waited_for - limits().keys() <= {None}


def test_a_folder_without_designs_is_said_so(tmp_path: Path) -> None:
    checked = call("sequences", "check", "--docs", str(tmp_path))

    assert checked.exit_code == 2
    assert "name the folder by --docs" in checked.stderr


def test_every_named_step_of_the_code_is_known() -> None:
    assert {("CartService", "addToCart"), ("OrderAggregate", "ship"), ("AuditLog", "logAuditEvent")} <= steps()
    assert ("EmailService", "sendShippingNotification") in steps()


def test_a_step_stands_inside_of_the_one_that_it_was_done_for() -> None:
    start, ms = datetime(2026, 1, 15, tzinfo=UTC), timedelta(milliseconds=1)
    first = Happened("a", None, Call("Customer", "OrderService", "placeOrder"), "sales", start, ms)
    ship = Happened("b", "a", Call("OrderService", "OrderAggregate", "ship", "OrderShipped"), "sales", start, ms)
    audit = Happened("c", "a", Call("OrderService", "AuditLog", "logAuditEvent"), "sales", start, ms)
    mail = Happened("d", "b", Call("NotificationService", "EmailService", "send"), "notification", start, ms)

    tree = as_tree([first, ship, audit, mail])

    [placed] = tree.children
    shipped, audited = placed.children
    assert [str(child.label).split("  ")[1] for child in shipped.children] == [
        "NotificationService → EmailService: send"
    ]
    assert audited.children == []


async def an_order(platform: Embedded) -> str:
    async with aiohttp.ClientSession() as client:
        shopper = Shopper(client, [platform.url("sales")], platform.token("customer"))
        status, body = await shopper.order({"product_456": 1}, key="observed")
    assert status == 201
    return str(json.loads(body)["order_id"])


async def a_look(platform: Embedded) -> str:
    """Its trace."""
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{platform.url('product')}/api/v1/products/product_456") as answer,
    ):
        return answer.headers["x-trace-id"]


async def test_what_happened_to_an_order_is_shown_with_its_times_and_waits(tmp_path: Path) -> None:
    async with embedded(tmp_path) as platform:
        order_id = await an_order(platform)
        about = ["--order", order_id, "--data", str(tmp_path / "data")]

        async def was_mailed() -> bool:
            return "sendShippingNotification" in (await called("sequences", "observe", *about)).stdout

        await until(was_mailed, 60)
        seen = (await called("sequences", "observe", *about)).stdout
        diagram = (await called("sequences", "observe", "--mermaid", *about)).stdout
        draft = json.loads((await called("sequences", "derive", "SEQ-NEW-001", *about)).stdout)
        looking = ["--trace", await a_look(platform), "--data", str(tmp_path / "data")]

        async def was_kept() -> bool:
            return "Nothing was recorded" not in (await called("sequences", "observe", *looking)).stderr

        await until(was_kept, 60)
        without_steps = [
            await called("sequences", *command, *looking)
            for command in (["observe"], ["observe", "--mermaid"], ["derive", "SEQ-NEW-001"], ["compare"])
        ]

    assert "OrderService → InventoryService: reserveInventory" in seen
    assert "after order.created: outbox" in seen
    assert diagram.startswith("sequenceDiagram")
    assert "OrderService->>OrderAggregate: createOrder" in diagram
    assert draft["steps"][0]["action"] == "placeOrder"
    assert [shown.exit_code for shown in without_steps] == [1] * 4
    assert {shown.stderr for shown in without_steps} == {
        "orderflow: Nothing that was done there is a step of a sequence.\n"
    }


@pytest.mark.parametrize("wrong", ["ORD-7", "SEQ-ord-001", "../SEQ-ORD-001", ""])
def test_a_draft_needs_an_id_of_a_design(tmp_path: Path, wrong: str) -> None:
    drafted = call("sequences", "derive", wrong, "--trace", "0" * 32, "--data", str(tmp_path))

    assert drafted.exit_code == 2
    assert "such as SEQ-ORD-007" in drafted.stderr


def test_of_an_order_nobody_has_heard_there_is_nothing_to_show(tmp_path: Path) -> None:
    seen = call("sequences", "observe", "--data", str(tmp_path))

    assert seen.exit_code == 2
    assert "Name an order by --order" in seen.stderr
