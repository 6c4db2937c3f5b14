"""A Product for the tests of Sales, that can be short of things, and unwell."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiohttp import web

from chassis.errors import Unauthenticated
from chassis.keys import KeyRing, new_keypair
from contracts.product import (
    RequestedItem,
    Reservation,
    Reservations,
    ReservationState,
    ReservationView,
    Reserve,
    ReservedItem,
    Settle,
    Settled,
    Settlements,
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


def does_it_late(seconds: float) -> Trouble:
    """Nobody waits for the answer any more when it is done."""

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


class FakeProduct:
    """Product as Sales meets it: its holds are true, its moods are scripted."""

    def __init__(self) -> None:
        self.wares = {"lamp": Ware(150, 1999, "A lamp"), "desk": Ware(50, 24900, "A desk")}
        self.everything_else: Ware | None = None
        self.reservations: dict[UUID, ReservationView] = {}
        self.asked: list[list[UUID]] = []
        """Which reservations were asked for, call by call."""
        self._taken: Counter[str] = Counter()
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
        app.router.add_post("/api/v1/reservations", self._on(self._reserve))
        app.router.add_post("/api/v1/reservations/releases", self._on(self._release))
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

    def _look(self, item: RequestedItem) -> ReservedItem:
        ware = None if item.variant_id else self.wares.get(item.product_id, self.everything_else)
        left = ware.stock - self._taken[item.product_id] if ware else 0
        return ReservedItem(
            product_id=item.product_id,
            variant_id=item.variant_id,
            requested=item.quantity,
            available=left,
            is_available=item.quantity <= left,
            name=ware.name if ware else None,
            unit_price=ware.price if ware else None,
            currency=ware.currency if ware else None,
        )

    def _count(self, items: Sequence[ReservedItem], direction: int) -> None:
        for item in items:
            self._taken[item.product_id] += item.requested * direction

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
