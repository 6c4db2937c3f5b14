"""The command as a whole: what it offers, and how little it takes to ask."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from rich.console import Console

from contracts.sales.addresses import ShippingAddress
from contracts.sales.orders import OrderStatus, OrderView, Timeline, TimelineEntry
from orderflow import fleet
from orderflow.folder import Connection
from orderflow.main import COMMANDS
from orderflow.next_steps import next_steps
from orderflow.progress import Progress

from .factories import call

CONNECTION = Connection(
    urls={name: f"http://127.0.0.1:800{number}" for number, name in enumerate(fleet.NAMES, 1)},
    tokens={},
    carrier_secret="whsec_",
    mail_secret="hush",
    database_urls={},
)


def test_the_table_of_commands_is_what_help_shows() -> None:
    shown = call("--help").stdout

    assert [name for name in COMMANDS if f" {name} " not in shown] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = call(command, "--help")

    assert result.exit_code == 0
    assert f"Usage: orderflow {command}" in result.stdout


@pytest.mark.parametrize("command", ["list", "show", "retry", "drop"])
def test_every_command_on_events_explains_itself(command: str) -> None:
    result = call("events", command, "--help")

    assert result.exit_code == 0
    assert "SERVICE" in result.stdout


def test_an_unknown_command_is_refused() -> None:
    assert call("upp").exit_code == 2


def test_a_token_does_not_wait_for_the_services_to_be_loaded() -> None:
    check = "import sys, orderflow.token; sys.exit(bool({'sqlalchemy', 'fastapi', 'aiohttp'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_a_demo_needs_a_platform() -> None:
    result = call("demo", "--data", "/nowhere")

    assert result.exit_code == 1
    assert result.stderr == (
        "orderflow: No platform runs on /nowhere. Start one with `orderflow up`, or name its folder by --data.\n"
    )


def test_a_demo_elsewhere_needs_a_token() -> None:
    assert call("demo", "--sales-url", "http://127.0.0.1:1").exit_code == 2


def test_a_demo_on_a_platform_that_is_gone_says_so() -> None:
    result = call("demo", "--sales-url", "http://127.0.0.1:1", "--token", "x")

    assert result.exit_code == 1
    assert "Does the platform still run?" in result.stderr


def test_what_is_printed_names_the_folder_only_where_it_must() -> None:
    usual = next_steps(CONNECTION, Path("orderflow-data"), 1.0)
    special = next_steps(CONNECTION, Path("my data"), 1.0)

    assert "--data" not in usual
    assert "demo --data 'my data'" in special
    assert "dispatch" not in usual
    assert "  mails        go out by SMTP\n" in usual
    assert "/dispatch" in next_steps(CONNECTION.model_copy(update={"manual": True}), Path("orderflow-data"), 1.0)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_told_line_by_line_where_it_cannot_be_drawn(is_terminal: bool) -> None:
    placed_at = datetime.now(UTC)
    screen = StringIO()
    console = Console(file=screen, force_terminal=is_terminal, width=100)
    order, timeline = _shipped_order(placed_at)
    progress = Progress(console, order)

    with progress.shown():
        progress.update(order, timeline)
        progress.update(order, timeline)

    written = screen.getvalue()
    assert "2.50 s" in written
    assert "[red]delivery-service" in written, "what comes from outside is no markup"
    assert ("with FedEx" in written, "\x1b" in written) == (is_terminal, is_terminal)
    assert is_terminal or written.count("SHIPPED") == 1


def _shipped_order(placed_at: datetime) -> tuple[OrderView, Timeline]:
    order = OrderView(
        order_id=uuid4(),
        customer_id="customer_demo",
        status=OrderStatus.SHIPPED,
        items=[],
        subtotal=0,
        shipping_cost=0,
        total=0,
        currency="EUR",
        shipping_address=ShippingAddress(name="A", line1="1 Row", city="B", postal_code="1", country="US"),
        tracking_number="TRK1",
        carrier="FedEx",
        created_at=placed_at,
        updated_at=placed_at,
        allowed_actions=[],
    )
    entry = TimelineEntry(
        at=placed_at + timedelta(seconds=2.5),
        kind="changed",
        to_status=OrderStatus.SHIPPED,
        actor="[red]delivery-service",
    )
    return order, Timeline(order_id=order.order_id, entries=[entry])
