"""`orderflow shipments`: the work list, and files of parcels, by an operator at a terminal or in a script."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import web
from typer.testing import Result

from chassis.auth import Signer
from chassis.broker import InProcessBroker
from chassis.serving import Site, serve
from contracts.sales.orders import OrderCreated
from delivery.app import build
from services.delivery.tests.factories import PEOPLE_KEY, Desk, FakeProduct, a_desk, cancelled, settings
from services.delivery.tests.factories_desk import of, wait
from tests.harness.fixtures import FreshDatabase
from tests.harness.ports import free_ports

from .factories import called

HEADINGS = "shipment_id,order_id,carrier,tracking_number"


@dataclass
class Warehouse:
    """A Delivery that answers over HTTP, and the file of whoever dispatches."""

    desk: Desk
    url: str
    file: Path

    async def wait(self, *orders: OrderCreated) -> list[str]:
        return await wait(self.desk, *orders)

    async def dispatch(self, *lines: str, headings: str = HEADINGS, options: Sequence[str] = ()) -> Result:
        self.file.write_text("\n".join([headings, *lines]))
        return await self.call("dispatch", str(self.file), *options)

    async def call(self, *arguments: str, **environment: str) -> Result:
        token = Signer(PEOPLE_KEY).token("clerk", ["warehouse"])
        there = ("--delivery-url", self.url, "--token", token)
        return await called("shipments", *arguments, *there, environment=environment)

    async def statuses(self) -> list[str]:
        return [row["status"] for row in await self.desk.query("SELECT status FROM shipments ORDER BY id")]


@asynccontextmanager
async def a_warehouse(database_url: str, product: FakeProduct, file: Path) -> AsyncIterator[Warehouse]:
    stop, port = asyncio.Event(), free_ports(1)[0]
    served = build(settings(database_url, product, role="api"), InProcessBroker())
    started = asyncio.Event()

    async def tell() -> None:
        started.set()

    serving = asyncio.create_task(serve([Site(served.app(), "127.0.0.1", port)], stop, tell))
    await started.wait()
    try:
        async with a_desk(database_url, product) as desk:
            yield Warehouse(desk, f"http://127.0.0.1:{port}", file)
    finally:
        stop.set()
        await serving


@pytest.fixture
async def warehouse(fresh_database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Warehouse]:
    url = await fresh_database("delivery")
    async with FakeProduct().serving() as product, a_warehouse(url, product, tmp_path / "parcels.csv") as running:
        yield running


async def test_what_a_file_names_is_dispatched(warehouse: Warehouse) -> None:
    first, _, third = await warehouse.wait(of(), second := of(), of())

    result = await warehouse.dispatch(f"{first},,FedEx,TRK-0001", f",{second.order_id},UPS,1Z-0002", f"{third},,,")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "3 dispatched, 0 had left before, 0 refused.\n"
    labels = await warehouse.desk.query("SELECT carrier, tracking_number FROM shipments ORDER BY id")
    assert [tuple(row.values()) for row in labels[:2]] == [("FedEx", "TRK-0001"), ("UPS", "1Z-0002")]
    assert {row["actor"] for row in await warehouse.desk.audited()} == {"clerk"}


async def test_each_line_that_is_refused_is_said_and_the_others_leave(warehouse: Warehouse) -> None:
    first, second, _ = await warehouse.wait(of(), of(), gone := of())
    await warehouse.desk.hear(cancelled(gone))
    unknown = uuid4()

    result = await warehouse.dispatch(
        f"{first},,FedEx,TRK-0001",
        f"{second},,FedEx,TRK-0001",
        f",{gone.order_id},FedEx,TRK-0003",
        f"{unknown},,FedEx,TRK-0004",
        f",{unknown},FedEx,TRK-0005",
        "1,,FedEx,TRK-0006",
        ",,FedEx,TRK-0007",
        f"{second},,FedEx,a b",
        f"{second},,FedEx",
        "",
        f"{second},,UPS,",
    )

    assert result.exit_code == 1
    assert result.stdout == "1 dispatched, 0 had left before, 9 refused.\n"
    assert sorted(result.stderr.splitlines()) == sorted(
        [
            "line 3, tracking_number: Another parcel of this carrier has this tracking number."
            " (DUPLICATE_TRACKING_NUMBER)",
            "line 4: A shipment that is STOPPED cannot become SHIPPED. (INVALID_STATUS_TRANSITION)",
            "line 5: There is no such shipment. (NOT_FOUND)",
            "line 6, order_id: There is no parcel of this order. (NOT_FOUND)",
            "line 7, shipment_id: This must be a UUID. (VALIDATION_ERROR)",
            "line 8, shipment_id: This names neither a shipment nor an order. (VALIDATION_ERROR)",
            "line 9, tracking_number: This does not have the expected form. (VALIDATION_ERROR)",
            "line 10: There are 3 cells in 4 columns. (VALIDATION_ERROR)",
            result.stderr.splitlines()[-1],
        ]
    )
    assert result.stderr.splitlines()[-1].endswith("(TRACKING_NUMBER_REQUIRED)")
    assert await warehouse.statuses() == ["SHIPPED", "READY", "STOPPED"]


async def test_after_an_interruption_the_same_file_does_the_rest(warehouse: Warehouse) -> None:
    parcels = await warehouse.wait(*(of() for _ in range(3)), ordered := of())
    lines = [f"{parcel},,FedEx,TRK-{number:04}" for number, parcel in enumerate(parcels[:3])]
    lines.append(f",{ordered.order_id},,")
    await warehouse.dispatch(*lines[2:])

    first = await warehouse.dispatch(*lines)
    again = await warehouse.dispatch(*lines)

    assert (first.exit_code, first.stdout) == (0, "2 dispatched, 2 had left before, 0 refused.\n")
    assert (again.exit_code, again.stdout) == (0, "0 dispatched, 4 had left before, 0 refused.\n")
    assert len(await warehouse.desk.published()) == 4


async def test_large_files_are_sent_some_lines_at_a_time(warehouse: Warehouse) -> None:
    parcels = await warehouse.wait(*(of() for _ in range(250)))

    result = await warehouse.dispatch(*(f"{parcel},,FedEx,TRK-{n:04}" for n, parcel in enumerate(parcels)))

    assert result.stdout == "250 dispatched, 0 had left before, 0 refused.\n"
    assert list(map(len, warehouse.desk.product.asked)) == [100, 100, 50]


async def test_of_an_order_with_several_parcels_the_one_that_can_leave_is_meant(warehouse: Warehouse) -> None:
    [parcel] = await warehouse.wait(order := of(("mug", 2)))
    split = await warehouse.desk.post(f"/{parcel}/split", {"items": [{"product_id": "mug", "quantity": 1}]})
    assert split.status_code < 300, split.text

    both_wait = await warehouse.dispatch(f",{order.order_id},FedEx,TRK-0001")
    await warehouse.dispatch(f"{parcel},,FedEx,TRK-0001")
    repeated = await warehouse.dispatch(f",{order.order_id},FedEx,TRK-0001")
    unnamed = await warehouse.dispatch(f",{order.order_id},,")
    next_one = await warehouse.dispatch(f",{order.order_id},FedEx,TRK-0002")

    assert "Several parcels of this order can be meant" in both_wait.stderr
    assert repeated.stdout == "0 dispatched, 1 had left before, 0 refused.\n"
    assert "Several parcels of this order can be meant" in unnamed.stderr
    assert next_one.stdout == "1 dispatched, 0 had left before, 0 refused.\n"
    assert await warehouse.statuses() == ["SHIPPED", "SHIPPED"]


async def test_a_dry_run_dispatches_nothing(warehouse: Warehouse) -> None:
    ready, left, stopped = await warehouse.wait(order := of(), of(), gone := of())
    await warehouse.dispatch(f"{left},,FedEx,TRK-0002")
    await warehouse.desk.hear(cancelled(gone))

    result = await warehouse.dispatch(
        f"{ready},,FedEx,TRK-0001",
        f",{order.order_id},FedEx,TRK-0001",
        f"{left},,FedEx,TRK-0002",
        f"{stopped},,FedEx,TRK-0003",
        f"{uuid4()},,FedEx,TRK-0004",
        options=["--dry-run"],
    )

    assert result.exit_code == 1
    assert result.stdout == (
        "2 dispatched, 1 had left before, 2 refused.\nThis was a dry run: nothing was dispatched.\n"
    )
    assert "line 5: The parcel is STOPPED; it cannot be dispatched. (INVALID_STATUS_TRANSITION)" in result.stderr
    assert "line 6, shipment_id: There is no such shipment. (NOT_FOUND)" in result.stderr
    assert await warehouse.statuses() == ["READY", "SHIPPED", "STOPPED"]


async def test_what_came_back_has_not_left_before_also_as_a_dry_run_foresees_it(warehouse: Warehouse) -> None:
    [back] = await warehouse.wait(order := of())
    await warehouse.dispatch(f"{back},,FedEx,TRK-0001")
    await warehouse.desk.post(f"/{back}/return", {"reason": "Nobody was at home."})

    for options in ([], ["--dry-run"]):
        result = await warehouse.dispatch(f",{order.order_id},FedEx,TRK-0001", options=options)
        assert result.stdout.startswith("0 dispatched, 0 had left before, 1 refused.")
        assert "(INVALID_STATUS_TRANSITION)" in result.stderr


async def test_while_product_is_away_it_waits_and_then_says_what_is_left(
    fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    url = await fresh_database("delivery")
    async with a_warehouse(url, FakeProduct(url="http://127.0.0.1:9"), tmp_path / "parcels.csv") as warehouse:
        parcels = await warehouse.wait(of(), of())

        result = await warehouse.dispatch(*(f"{parcel},,," for parcel in parcels), options=["--within", "1s"])

        assert result.exit_code == 1
        assert result.stderr.startswith("orderflow: POST /api/v1/shipments/dispatches was refused: ")
        assert result.stderr.endswith("(503). 2 lines are left. Do it again: what has left counts as done.\n")
        assert await warehouse.statuses() == ["READY", "READY"]


async def test_a_product_that_comes_back_in_time_was_hardly_away(warehouse: Warehouse) -> None:
    [parcel] = await warehouse.wait(of())
    warehouse.desk.product.script = [web.Response(status=500) for _ in range(3)]

    result = await warehouse.dispatch(f"{parcel},,,")

    assert result.stdout == "1 dispatched, 0 had left before, 0 refused.\n"


async def test_on_a_terminal_it_shows_how_far_it_is(warehouse: Warehouse) -> None:
    [parcel] = await warehouse.wait(of())
    warehouse.file.write_text(f"shipment_id\n{parcel}\n")

    result = await warehouse.call("dispatch", str(warehouse.file), FORCE_COLOR="1", COLUMNS="100")

    assert result.exit_code == 0
    assert "Dispatching" in result.stderr
    assert "1/1" in result.stderr


async def test_what_the_file_holds_cannot_command_the_terminal(warehouse: Warehouse) -> None:
    result = await warehouse.dispatch("\x1b[2J,,FedEx,TRK-1")

    assert result.exit_code == 1
    assert "\x1b" not in result.stderr


async def test_the_work_list_is_shown(warehouse: Warehouse) -> None:
    parcels = await warehouse.wait(of(("mug", 2), ("cup", 1)), of())

    shown = await warehouse.call("list")
    first = await warehouse.call("list", "--limit", "1")
    drawn = await warehouse.call("list", FORCE_COLOR="1", COLUMNS="200")

    rows = [line.split("\t") for line in shown.stdout.splitlines()]
    assert [row[0] for row in rows] == parcels
    assert rows[0][3:5] == ["US 62701 Springfield", "3"]
    assert len(first.stdout.splitlines()) == 1
    assert "pick list" in drawn.stdout
    assert parcels[1] in drawn.stdout


async def test_an_empty_work_list_says_so(warehouse: Warehouse) -> None:
    result = await warehouse.call("list")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Nothing waits to be packed.\n")


async def test_it_needs_a_platform_and_a_token_for_one_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "parcels.csv"
    file.write_text("shipment_id\n")

    nowhere = await called("shipments", "dispatch", str(file), "--data", "/nowhere")
    half = await called("shipments", "list", "--delivery-url", "http://127.0.0.1:1")

    assert nowhere.stderr.startswith("orderflow: No platform runs on /nowhere.")
    assert (half.exit_code, half.stderr) == (2, "orderflow: --delivery-url and --token go together.\n")


@pytest.mark.parametrize("path", ["missing.csv", "."])
async def test_a_file_that_cannot_be_read_is_said_in_one_line(tmp_path: Path, path: str) -> None:
    result = await called("shipments", "dispatch", str(tmp_path / path))

    assert result.exit_code == 1
    assert result.stderr.startswith(f"orderflow: {tmp_path / path} cannot be opened: ")
