"""An order's way on the screen: drawn anew as it goes on, or, where that is no terminal, told line by line."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from contracts.sales.orders import OrderStatus, OrderView, Timeline, TimelineEntry

_COLOURS = {OrderStatus.SHIPPED: "cyan", OrderStatus.DELIVERED: "green", OrderStatus.CANCELLED: "red"}


class Progress:
    def __init__(self, console: Console, order: OrderView) -> None:
        self._console = console
        self._placed_at = order.created_at
        self._told = 0
        self._live: Live | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, refresh_per_second=10) as self._live:
            yield

    def update(self, order: OrderView, timeline: Timeline) -> None:
        if self._live is not None:
            self._live.update(self._draw(order, timeline))
            return
        for entry in timeline.entries[self._told :]:
            self._console.print(self._line(entry), highlight=False, soft_wrap=True)
        self._told = len(timeline.entries)

    def _draw(self, order: OrderView, timeline: Timeline) -> Table:
        table = Table(title=f"Order {order.order_id}", title_justify="left", expand=False)
        for heading in ("at", "after", "status", "by"):
            table.add_column(heading, no_wrap=heading != "by")
        for entry in timeline.entries:
            status = Text(_status(entry), _COLOURS.get(entry.to_status, "yellow"))
            table.add_row(_clock(entry.at), self._after(entry.at), status, Text(_who(entry)))
        if order.status not in (OrderStatus.DELIVERED, OrderStatus.CANCELLED):
            table.add_row("", "", Spinner("dots"), Text(_where(order)))
        return table

    def _line(self, entry: TimelineEntry) -> Text:
        return Text(f"{_clock(entry.at)}  {self._after(entry.at):>8}  {_status(entry):<18}{_who(entry)}")

    def _after(self, at: datetime) -> str:
        return f"{max(0.0, (at - self._placed_at).total_seconds()):.2f} s"


def _clock(at: datetime) -> str:
    return at.astimezone().strftime("%H:%M:%S")


def _status(entry: TimelineEntry) -> str:
    return entry.to_status if entry.kind == "changed" else f"{entry.to_status} refused"


def _who(entry: TimelineEntry) -> str:
    return f"{entry.actor}: {entry.reason}" if entry.reason else entry.actor


def _where(order: OrderView) -> str:
    return f"with {order.carrier}, {order.tracking_number}" if order.tracking_number else "waiting for the warehouse"
