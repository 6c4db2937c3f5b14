"""Whatever is asked in whatever order, Product answers and holds what a few lines of Python say that it must."""

from collections import Counter
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from chassis.db import Database
from contracts.product import RequestedItem, Reservation
from product.inventory.commands import reserve
from product.inventory.model import DEDUCTED, HELD, REFUSED, RELEASED
from product.inventory.settlement import deduct, release
from services.product.tests.factories import (
    Shelf,
    event_counts,
    held_by_lines,
    item,
    put_on_sale,
    reserved,
    shelf,
)

STOCK = {"beans": 9, "kettle": 4, "mug": 15}
IDS = [UUID(int=number + 1) for number in range(8)]

items = st.lists(st.builds(item, st.sampled_from([*STOCK, "unheard-of"]), st.integers(1, 5)), min_size=1, max_size=3)
# One wish per id, so that a repetition is one.
wishes = st.lists(items, min_size=len(IDS), max_size=len(IDS))
batches = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "reserve", "release", "deduct"]),
        st.lists(st.sampled_from(IDS), min_size=1, max_size=5),
    ),
    min_size=3,
    max_size=12,
)


class Model:
    """The inventory, one reservation after the other."""

    def __init__(self) -> None:
        self.on_hand = Counter(STOCK)
        self.reserved: Counter[str] = Counter()
        self.states: dict[UUID, str] = {}
        self.lines: dict[UUID, Counter[str]] = {}
        self.events: Counter[tuple[str, str]] = Counter()

    def reserve(self, key: UUID, wanted: list[RequestedItem]) -> str:
        if key not in self.states:
            asked: Counter[str] = Counter()
            for each in wanted:
                asked[each.product_id] += each.quantity
            fits = all(quantity <= self.on_hand[id] - self.reserved[id] for id, quantity in asked.items())
            self.states[key], self.lines[key] = (HELD, asked) if fits else (REFUSED, Counter())
            self.reserved += self.lines[key]
            self.events["inventory.reserved", str(key)] += fits
        return self.states[key]

    def release(self, key: UUID) -> tuple[str | None, bool]:
        if self.states.setdefault(key, RELEASED) == HELD:
            self.states[key] = RELEASED
            self.reserved -= self.lines[key]
            self.events["inventory.released", str(key)] += 1
        return self.states[key], self.states[key] == RELEASED

    def deduct(self, key: UUID) -> tuple[str | None, bool]:
        if self.states.get(key) == HELD:
            self.states[key] = DEDUCTED
            self.reserved -= self.lines[key]
            self.on_hand -= self.lines[key]
            self.events["inventory.deducted", str(key)] += 1
        return self.states.get(key), self.states.get(key) == DEDUCTED


@pytest.fixture
async def stocked(database: Database) -> Database:
    for product_id in STOCK:
        await put_on_sale(database, product_id, 0)
    return database


async def start_again(database: Database) -> None:
    async with database.begin() as session:
        await session.execute(text("DELETE FROM reservations"))
        await session.execute(text("DELETE FROM reservation_lines"))
        await session.execute(text("DELETE FROM outbox"))
        for product_id, on_hand in STOCK.items():
            await session.execute(
                text("UPDATE stock SET on_hand = :on_hand, reserved = 0 WHERE product_id = :product_id"),
                {"product_id": product_id, "on_hand": on_hand},
            )


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wishes=wishes, batches=batches)
async def test_batches_in_any_order_do_what_one_after_the_other_would(
    stocked: Database, wishes: list[list[RequestedItem]], batches: list[tuple[str, list[UUID]]]
) -> None:
    await start_again(stocked)
    model = Model()

    for what, ids in batches:
        async with stocked.begin() as session:
            if what == "reserve":
                wanted = [Reservation(reservation_id=id, items=wishes[IDS.index(id)]) for id in ids]
                views = await reserve(session, wanted)
                assert [getattr(view, "state", view) for view in views] == [
                    model.reserve(one.reservation_id, one.items) for one in wanted
                ]
            elif what == "release":
                settled = await release(session, ids)
                assert [(one.state, one.done) for one in settled] == [model.release(id) for id in ids]
            else:
                settled = await deduct(session, ids)
                assert [(one.state, one.done) for one in settled] == [model.deduct(id) for id in ids]

    assert await reserved(stocked) == await held_by_lines(stocked) == {id: model.reserved[id] for id in STOCK}
    for product_id in STOCK:
        assert await shelf(stocked, product_id) == Shelf(model.on_hand[product_id], model.reserved[product_id])
    assert await event_counts(stocked) == +model.events


async def test_the_model_itself_can_tell_right_from_wrong() -> None:
    model, id = Model(), uuid4()

    assert model.reserve(id, [item("kettle", 4)]) == HELD
    assert model.reserve(uuid4(), [item("kettle", 1)]) == REFUSED
    assert model.deduct(id) == (DEDUCTED, True)
    assert model.release(id) == (DEDUCTED, False)
    assert (model.on_hand["kettle"], model.reserved["kettle"]) == (0, 0)
