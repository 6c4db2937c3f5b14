"""A Product for the tests of Sales, that can be short of things, and unwell."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from aiohttp import web

from chassis.errors import Unauthenticated
from chassis.keys import KeyRing, new_keypair
from contracts.product.inventory import (
    CheckAvailability,
    Quote,
    QuotedItem,
    RequestedItem,
    Reservation,
    Reservations,
    ReservationState,
    ReservationView,
    Reserve,
    ReturnedStock,
    ReturnedStockView,
    Settle,
    Settled,
    Settlements,
    StockLine,
    Unavailable,
)

HELD, REFUSED, RELEASED = ReservationState.HELD, ReservationState.REFUSED, ReservationState.RELEASED

SALES_KEY, SALES_PUBLIC_KEY = new_keypair("sales", ["service"])


Do = Callable[[], Awaitable[web.Response]]
Trouble = Callable[[web.Request, Do], Awaitable[web.Response]]


def says(status: int, body: bytes | str | Mapping[str, Any] = b"{}", content_type: str = "application/json") -> Trouble:
    """Answers this, whatever was asked, and does nothing."""

    async def trouble(_: web.Request, __: Do) -> web.Response:
        sent = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        return web.Response(status=status, body=sent, content_type=content_type)

    return trouble


def does_it_late(seconds: float = 4) -> Trouble:
    """Nobody waits for the answer any more when it is done: Sales does so for three seconds."""

    async def trouble(_: web.Request, do: Do) -> web.Response:
        await asyncio.sleep(seconds)
        return await do()

    return trouble


def does_it_but(change: Callable[[dict[str, Any]], object]) -> Trouble:
    """Answers something else than it did."""

    async def trouble(_: web.Request, do: Do) -> web.Response:
        said = json.loads((await do()).text or "{}")
        change(said)
        return web.json_response(said)

    return trouble


async def loses_the_answer(request: web.Request, do: Do) -> web.Response:
    answer = await do()
    assert request.transport is not None
    request.transport.close()
    return answer


@dataclass
class Ware:
    stock: int
    price: int = 1999
    name: str = "A thing"
    currency: str = "USD"
    on_sale: bool = True
    weight: int = 0
    variants: "dict[UUID, Ware]" = field(default_factory=dict)
    """Where there are any, one of them has to be named."""


class FakeProduct:
    """Product as Sales meets it: its holds are true, its moods are scripted."""

    def __init__(self) -> None:
        self.wares = {"lamp": Ware(150, 1999, "A lamp"), "desk": Ware(50, 24900, "A desk")}
        self.everything_else: Ware | None = None
        self.reservations: dict[UUID, ReservationView] = {}
        self.asked: list[list[UUID]] = []
        """Which reservations were asked for, call by call."""
        self.back: dict[UUID, list[StockLine]] = {}
        """What is on the shelf again, by the return with which it came."""
        self.quoted = 0
        """How often quotes were asked for."""
        self._taken: Counter[tuple[str, UUID | None]] = Counter()
        self._mood: Trouble | None = None
        self._keyring = KeyRing({"keys": [SALES_PUBLIC_KEY]})
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def held(self, product_id: str = "lamp") -> int:
        return sum(
            item.requested
            for reservation in self.reservations.values()
            for item in reservation.items
            if reservation.state == HELD and item.product_id == product_id
        )

    @contextmanager
    def having(self, trouble: Trouble) -> Iterator[None]:
        self._mood = trouble
        try:
            yield
        finally:
            self._mood = None

    async def start(self) -> None:
        app = web.Application(client_max_size=64 * 1024)
        app.router.add_post("/api/v1/products/quotes", self._on(self._quote))
        app.router.add_post("/api/v1/reservations", self._on(self._reserve))
        app.router.add_post("/api/v1/reservations/releases", self._on(self._release))
        app.router.add_post("/api/v1/returned-stock", self._on(self._take_back))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _on(self, do: Callable[[bytes], str]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            try:
                caller = self._keyring.verify(request.headers["Authorization"].removeprefix("Bearer "), "product")
            except Unauthenticated:
                return web.json_response({"error": {"code": "UNAUTHENTICATED", "message": "Who?"}}, status=401)
            assert caller.subject == "sales"
            body = await request.read()

            async def really() -> web.Response:
                return web.Response(text=do(body), content_type="application/json")

            return await (really() if self._mood is None else self._mood(request, really))

        return answer

    def _reserve(self, body: bytes) -> str:
        wanted = Reserve.model_validate_json(body).reservations
        self.asked.append([one.reservation_id for one in wanted])
        return Reservations(reservations=[self._hold(one) for one in wanted]).model_dump_json(exclude_none=True)

    def _hold(self, wanted: Reservation) -> ReservationView:
        if wanted.reservation_id not in self.reservations:
            items = [self._look(item) for item in wanted.items]
            all_available = all(item.is_available for item in items)
            self._count(items, +1 if all_available else 0)
            self.reservations[wanted.reservation_id] = ReservationView(
                reservation_id=wanted.reservation_id,
                state=HELD if all_available else REFUSED,
                all_available=all_available,
                items=items,
            )
        return self.reservations[wanted.reservation_id]

    def _quote(self, body: bytes) -> str:
        self.quoted += 1
        items = [self._look(item) for item in CheckAvailability.model_validate_json(body).items]
        quote = Quote(all_available=all(item.is_available for item in items), items=items)
        return quote.model_dump_json(exclude_none=True)

    def _look(self, item: RequestedItem) -> QuotedItem:
        asked: dict[str, Any] = {
            "product_id": item.product_id,
            "variant_id": item.variant_id,
            "requested": item.quantity,
        }
        found = self._find(item)
        if isinstance(found, Unavailable):
            return QuotedItem(**asked, available=0, is_available=False, reason=found)
        left = found.stock - self._taken[item.product_id, item.variant_id]
        return QuotedItem(
            **asked,
            available=left,
            is_available=item.quantity <= left,
            name=found.name,
            unit_price=found.price,
            currency=found.currency,
            weight_grams=found.weight,
        )

    def _find(self, item: RequestedItem) -> Ware | Unavailable:
        ware = self.wares.get(item.product_id, self.everything_else)
        if ware is None:
            return Unavailable.UNKNOWN
        if not ware.on_sale:
            return Unavailable.NOT_ON_SALE
        if item.variant_id is None:
            return Unavailable.VARIANT_REQUIRED if ware.variants else ware
        return ware.variants.get(item.variant_id, Unavailable.UNKNOWN)

    def _count(self, items: Sequence[QuotedItem], direction: int) -> None:
        for item in items:
            self._taken[item.product_id, item.variant_id] += item.requested * direction

    def _release(self, body: bytes) -> str:
        settled = []
        for id in Settle.model_validate_json(body).reservation_ids:
            now = self.reservations.get(id)
            if now is None or now.state == HELD:
                items = now.items if now else []
                self._count(items, -1)
                now = ReservationView(reservation_id=id, state=RELEASED, all_available=False, items=items)
                self.reservations[id] = now
            settled.append(Settled(reservation_id=id, state=now.state, done=now.state == RELEASED))
        return Settlements(reservations=settled).model_dump_json()

    def _take_back(self, body: bytes) -> str:
        returned = ReturnedStock.model_validate_json(body)
        lines = [StockLine.model_validate(item, from_attributes=True) for item in returned.items]
        assert self.back.setdefault(returned.return_id, lines) == lines
        return ReturnedStockView(return_id=returned.return_id, items=lines).model_dump_json(exclude_none=True)
