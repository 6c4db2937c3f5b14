"""Whatever is asked at the same time, through several connections: nothing is oversold, lost, doubled or forgotten."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from chassis.db import Database
from chassis.errors import Conflict, Invalid, NotFound
from contracts.product.inventory import CorrectStock, RequestedItem, Reservation, ReservationView, Restock, Settled
from product.catalog.changing import activate_product, deactivate_product
from product.inventory.commands import reserve
from product.inventory.model import DEDUCTED, HELD, REFUSED, RELEASED, Article
from product.inventory.settlement import deduct, release
from product.inventory.tables import named
from product.inventory.warehousing import correct_stock, restock
from services.product.tests.factories import add_variant, published
from services.product.tests.laws import broken_laws
from services.product.tests.rivals import alone
from services.product.tests.stock_calls import IDS, Call, calls, start_again, wishes
from services.product.tests.stock_model import VARIANTS, falls_to_nothing, told

groups = st.lists(st.lists(calls(), min_size=6, max_size=14), min_size=2, max_size=4)


class Crowd:
    """Asks Product through two replicas' connections, and remembers what it was told."""

    def __init__(self, databases: Sequence[Database], wishes: Sequence[list[RequestedItem]]) -> None:
        self.databases = databases
        self.wishes = dict(zip(IDS, wishes, strict=True))
        self.added: set[UUID] = set()
        self.views: list[ReservationView] = []
        self.ended: list[tuple[str, Settled]] = []

    async def ask_at_once(self, calls: Sequence[Call]) -> None:
        asking = [self.ask(self.databases[turn % 2], what, about) for turn, (what, about) in enumerate(calls)]
        done = asyncio.Event()
        watching = asyncio.create_task(self.watch(done))
        try:
            await asyncio.gather(*asking)
        finally:
            done.set()
        await watching

    async def watch(self, done: asyncio.Event) -> None:
        """What others see in the meantime is right at every moment."""
        while not done.is_set():
            assert await broken_laws(self.databases[0]) == []

    def ask(self, database: Database, what: str, about: Any) -> Coroutine[Any, Any, None]:
        if what == "reserve":
            return self.reserve(database, about)
        if what in ("release", "deduct"):
            return self.end(database, what, about)
        if what == "add_variant":
            return self.add_variant(database, *about)
        if what in ("restock", "correct"):
            return self.count(database, what, *about)
        return self.switch(database, what, about)

    async def reserve(self, database: Database, ids: list[UUID]) -> None:
        wanted = [Reservation(reservation_id=id, items=self.wishes[id]) for id in ids]
        for view in await alone(database, reserve, wanted):
            assert isinstance(view, ReservationView)
            self.views.append(view)

    async def end(self, database: Database, what: str, ids: list[UUID]) -> None:
        settled = await alone(database, release if what == "release" else deduct, ids)
        self.ended += [(what, one) for one in settled]

    async def count(self, database: Database, what: str, article: Article, quantity: int) -> None:
        product_id, variant_id = article
        if article == ("shirt", None):
            return  # whether it can be had depends on who comes first, and the ledger does not tell that
        with suppress(Invalid, NotFound, Conflict):
            async with database.begin() as session:
                if what == "restock":
                    body = Restock(variant_id=variant_id, quantity=quantity)
                    await restock(session, product_id, body, "test")
                else:
                    counted = CorrectStock(variant_id=variant_id, quantity=quantity, reason="counted")
                    await correct_stock(session, product_id, counted, "test")

    async def add_variant(self, database: Database, variant_id: UUID, quantity: int) -> None:
        if variant_id not in self.added:
            self.added.add(variant_id)
            await add_variant(database, "shirt", quantity, id=variant_id)

    async def switch(self, database: Database, what: str, product_id: str) -> None:
        async with database.begin() as session:
            if what == "activate":
                await activate_product(session, product_id, by="test")
            else:
                await deactivate_product(session, product_id, by="test")


@pytest.fixture
async def others(url: str, database: Database) -> Any:
    other = Database(url, application_name="another replica")
    yield database, other
    await other.close()


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # what happens at once does not happen so again
)
@given(wishes=wishes, groups=groups)
async def test_whatever_happens_at_once_every_answer_and_event_is_true(
    others: tuple[Database, Database], wishes: list[list[RequestedItem]], groups: list[list[Call]]
) -> None:
    database = others[0]
    await start_again(database)
    crowd = Crowd(others, wishes)
    for variant_id in VARIANTS[:2]:
        await crowd.add_variant(database, variant_id, 2)

    for group in groups:
        await crowd.ask_at_once(group)

    assert await broken_laws(database) == []
    await nothing_was_told_that_is_not_so(database, crowd)
    await what_ran_out_was_told(database)


async def nothing_was_told_that_is_not_so(database: Database, crowd: Crowd) -> None:
    async with database.begin() as session:
        states = {row.id: row.state for row in await session.execute(text("SELECT id, state FROM reservations"))}
        rows = await session.execute(text("SELECT cause, array_agg(kind ORDER BY id) FROM stock_movements GROUP BY 1"))
        moved = {cause: set(kinds) for cause, kinds in rows}
    events = told(await published(database))
    for id, state in states.items():
        happened = {kind for kind in ("reserved", "released", "deducted") if events[f"inventory.{kind}", str(id)]}
        assert happened == moved.get(id, set())
        assert all(events[f"inventory.{kind}", str(id)] == 1 for kind in happened)
        assert happened in ENDS[state]
    for view in crowd.views:
        # Held or refused for good; what was held may have ended since, in one way.
        after = {HELD: {HELD, RELEASED, DEDUCTED}, REFUSED: {REFUSED}, RELEASED: {RELEASED}, DEDUCTED: {DEDUCTED}}
        assert states[view.reservation_id] in after[view.state]
    for what, one in crowd.ended:
        if one.done:
            assert states[one.reservation_id] == (RELEASED if what == "release" else DEDUCTED)


ENDS: dict[str, list[set[str]]] = {
    HELD: [{"reserved"}],
    REFUSED: [set()],
    RELEASED: [set(), {"reserved", "released"}],
    DEDUCTED: [{"reserved", "deducted"}],
}


async def what_ran_out_was_told(database: Database) -> None:
    async with database.begin() as session:
        # The movements of one stock stand in the order in which its row was locked.
        rows = (await session.execute(text("SELECT * FROM stock_movements ORDER BY id"))).all()
    movements = [
        ((row.product_id, named(row.variant_id)), row.kind, row.on_hand_change, row.reserved_change) for row in rows
    ]
    events = told(await published(database))
    out = {about: count for (kind, about), count in events.items() if kind == "inventory.out_of_stock"}
    assert out == dict(falls_to_nothing(movements))
