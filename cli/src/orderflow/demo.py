"""`orderflow demo`: places an order and shows what becomes of it, until it is delivered."""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import uuid4

import typer
from rich.console import Console

from contracts.delivery.shipments import ShipmentStatus
from contracts.sales.orders import OrderStatus, OrderView, Timeline
from contracts.text import to_decimal_string

from .client import Client
from .failure import USAGE, Failure
from .folder import Connection, Folder
from .mailbox import Mail, mails_about
from .options import DEFAULT_FOLDER, Data, span
from .progress import Progress
from .terminal import printable

_LOOK_EVERY: Final = 0.2
_MAILS: Final = 3
_MAILS_COME_WITHIN: Final = 5.0
_PATIENCE: Final = {False: timedelta(minutes=1), True: timedelta(minutes=15)}
_ORDER: Final = {
    "items": [{"product_id": "product_456", "quantity": 2}, {"product_id": "product_789", "quantity": 1}],
    "shipping_address": {
        "name": "Ada Example",
        "line1": "12 Analytical Row",
        "city": "Springfield",
        "state": "IL",
        "postal_code": "62701",
        "country": "US",
    },
}

app = typer.Typer(add_completion=False)

SalesUrl = Annotated[str | None, typer.Option(metavar="URL", help="A platform elsewhere; needs --token, too.")]
Token = Annotated[str | None, typer.Option(help="A customer's token for it.")]
Drive = Annotated[bool, typer.Option("--drive", help="Dispatch and deliver it as well, as staff would.")]
Within = Annotated[
    str | None, typer.Option(metavar="TIME", show_default="1m, 15m when people work", help="How long to wait.")
]


@dataclass(frozen=True)
class _Way:
    """Where the order is placed, and who drives it if the platform does not."""

    sales: Client
    staff: Client | None
    waits_for_people: bool
    mail_folder: Path | None = None


@app.command()
def demo(
    data: Data = DEFAULT_FOLDER,
    sales_url: SalesUrl = None,
    token: Token = None,
    drive: Drive = False,
    within: Within = None,
) -> None:
    """Place an order and watch it until it is delivered."""
    asyncio.run(_demo(_find_way(data, sales_url, token, drive), span(within) if within else None))


def _find_way(data: Path, sales_url: str | None, token: str | None, drive: bool) -> _Way:
    if (sales_url is None) != (token is None):
        raise Failure("--sales-url and --token go together.", USAGE)
    if sales_url is not None and token is not None:
        if drive:
            raise Failure("--drive needs the platform's data folder, not --sales-url.", USAGE)
        return _Way(Client(sales_url, token), None, False)
    platform = Folder(data).connection()
    staff = Client(platform.urls["delivery"], platform.tokens["warehouse"]) if drive else None
    return _Way(_customer(platform), staff, platform.manual and not drive, platform.mail_folder)


def _customer(platform: Connection) -> Client:
    return Client(platform.urls["sales"], platform.tokens["customer"])


async def _demo(way: _Way, within: timedelta | None) -> None:
    patience = within or _PATIENCE[way.waits_for_people]
    console = Console()
    async with AsyncExitStack() as clients:
        for client in (way.sales, way.staff):
            if client is not None:
                await clients.enter_async_context(client)
        key = {"Idempotency-Key": f"demo-{uuid4()}"}
        order = OrderView.model_validate(await way.sales.post("/api/v1/orders", _ORDER, key))
        console.print(f"Order {order.order_id} is placed: {_content(order)}.", highlight=False, soft_wrap=True)
        if way.waits_for_people:
            console.print("There is no autopilot: it waits for staff to dispatch and deliver it (or for `--drive`).")
        try:
            async with asyncio.timeout(patience.total_seconds()):
                await _follow(way, order, Progress(console, order))
        except TimeoutError:
            raise Failure(f"Order {order.order_id} is not delivered after {patience}. {_hint(way)}") from None
    if way.mail_folder is not None:
        await _show_mails(console, order, way.mail_folder)
    console.print("Delivered.")


async def _follow(way: _Way, order: OrderView, progress: Progress) -> None:
    path = f"/api/v1/orders/{order.order_id}"
    with progress.shown():
        while True:
            order = OrderView.model_validate(await way.sales.get(path))
            progress.update(order, Timeline.model_validate(await way.sales.get(f"{path}/timeline")))
            if order.status == OrderStatus.DELIVERED:
                return
            if order.status == OrderStatus.CANCELLED:
                raise Failure(f"Order {order.order_id} was cancelled.")
            if way.staff is not None:
                await _drive(way.staff, str(order.order_id))
            await asyncio.sleep(_LOOK_EVERY)


async def _drive(staff: Client, order_id: str) -> None:
    """One step on, if there is one to do now."""
    found: list[dict[str, Any]] = (await staff.get("/api/v1/shipments", {"order_id": order_id}))["items"]
    for shipment in found:
        path = f"/api/v1/shipments/{shipment['shipment_id']}"
        if shipment["status"] == ShipmentStatus.READY:
            await staff.post(f"{path}/dispatch", {})
        elif shipment["status"] == ShipmentStatus.SHIPPED:
            await staff.post(f"{path}/delivery", {"delivery_location": "Front door"})


async def _show_mails(console: Console, order: OrderView, folder: Path) -> None:
    """They come a moment later than what they tell of, if the customer wants them all."""
    found: list[Mail] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(_MAILS_COME_WITHIN):
            while len(found) < _MAILS:
                found = mails_about(str(order.order_id), folder, order.created_at)
                await asyncio.sleep(_LOOK_EVERY)
    if found:
        console.print(f"Mails about it, in {folder}:", highlight=False, soft_wrap=True)
    for mail in found:
        line = f"  {mail.at.astimezone():%H:%M:%S}  {printable(mail.subject)}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _content(order: OrderView) -> str:
    lines = ", ".join(f"{line.quantity} x {line.name}" for line in order.items)
    return f"{lines}, {to_decimal_string(order.total)} {order.currency}"


def _hint(way: _Way) -> str:
    return "Nobody has come: try `--drive`." if way.waits_for_people else "The platform's log may say why."
