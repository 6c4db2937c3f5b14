"""Whatever is asked in whatever order, Product answers and holds what a few lines of Python say that it must."""

from collections import Counter
from collections.abc import Awaitable
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.errors import Refused
from contracts.product.inventory import CorrectStock, RequestedItem, Reservation, ReservationView, Restock
from product.catalog.changing import activate_product, deactivate_product
from product.inventory.commands import reserve
from product.inventory.model import DEDUCTED, HELD, REFUSED, RELEASED, Article
from product.inventory.settlement import deduct, release
from product.inventory.warehousing import correct_stock, restock
from services.product.tests.factories import Shelf, add_variant, is_in_stock, item, published, shelf
from services.product.tests.factories_warehouse import ledger
from services.product.tests.laws import broken_laws
from services.product.tests.stock_calls import IDS, Call, calls, start_again, wishes
from services.product.tests.stock_model import STOCK, VARIANTS, Model, told


class Both:
    """Product and its model, which are asked the same."""

    def __init__(self, database: Database, wishes: list[list[RequestedItem]]) -> None:
        self.database = database
        self.model = Model()
        self.wishes = dict(zip(IDS, wishes, strict=True))

    async def ask(self, what: str, about: Any) -> None:
        if what == "add_variant":
            await self.add_variant(*about)
            return
        async with self.database.begin() as session:
            if what == "reserve":
                await self.reserve(session, about)
            elif what in ("release", "deduct"):
                await self.end(session, what, about)
            elif what in ("restock", "correct"):
                await self.count(session, what, *about)
            elif what == "deactivate":
                await deactivate_product(session, about, by="test")
                self.model.off_sale.add(about)
            else:
                await activate_product(session, about, by="test")
                self.model.off_sale.discard(about)

    async def reserve(self, session: AsyncSession, ids: list[UUID]) -> None:
        wanted = [Reservation(reservation_id=id, items=self.wishes[id]) for id in ids]
        views = await reserve(session, wanted, ["test"] * len(wanted))
        for one, view in zip(wanted, views, strict=True):
            assert isinstance(view, ReservationView)
            answered = [(each.available, each.is_available, each.reason) for each in view.items]
            assert (view.state, answered) == self.model.reserve(one.reservation_id, one.items)

    async def end(self, session: AsyncSession, what: str, ids: list[UUID]) -> None:
        """Also of those that have not arrived yet."""
        settled = await (release if what == "release" else deduct)(session, ids, ["test"] * len(ids))
        expected = self.model.release if what == "release" else self.model.deduct
        assert [(one.state, one.done) for one in settled] == [expected(id) for id in ids]

    async def count(self, session: AsyncSession, what: str, article: Article, quantity: int) -> None:
        product_id, variant_id = article
        if what == "restock":
            done = refusal(restock(session, product_id, Restock(variant_id=variant_id, quantity=quantity), "test"))
            assert await done == self.model.restock(article, quantity)
        else:
            body = CorrectStock(variant_id=variant_id, quantity=quantity, reason="counted")
            assert await refusal(correct_stock(session, product_id, body, "test")) == self.model.correct(
                article, quantity
            )

    async def add_variant(self, variant_id: UUID, quantity: int) -> None:
        if ("shirt", variant_id) not in self.model.on_hand:
            await add_variant(self.database, "shirt", quantity, id=variant_id)
            self.model.add_variant(variant_id, quantity)

    async def agree(self) -> None:
        model = self.model
        for article in model.on_hand:
            there = Shelf(model.on_hand[article], model.reserved[article])
            assert await shelf(self.database, *article) == there
            moved = Counter((article, *each) for each in await ledger(self.database, *article))
            assert moved == Counter({each: count for each, count in model.movements.items() if each[0] == article})
        assert {product_id: await is_in_stock(self.database, product_id) for product_id in STOCK} == model.in_stock()
        assert told(await published(self.database)) == +model.events


async def refusal(command: Awaitable[object]) -> str | None:
    try:
        await command
    except Refused as refused:
        return refused.code
    return None


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wishes=wishes, calls=st.lists(calls(), min_size=10, max_size=30))
async def test_calls_in_any_order_do_what_the_model_does(
    database: Database, wishes: list[list[RequestedItem]], calls: list[Call]
) -> None:
    await start_again(database)
    both = Both(database, wishes)

    for what, about in calls:
        await both.ask(what, about)
        assert await broken_laws(database) == []

    await both.agree()


async def test_the_model_itself_can_tell_right_from_wrong() -> None:
    model, id = Model(), uuid4()
    beans: Article = ("beans", None)

    assert model.reserve(id, [item("beans", 4)]) == (HELD, [(4, True, None)])
    assert model.reserve(uuid4(), [item("beans", 1)]) == (REFUSED, [(0, False, None)])
    assert not model.in_stock()["beans"]
    assert model.correct(beans, -1) == "STOCK_RESERVED"
    assert model.deduct(id) == (DEDUCTED, True)
    assert model.release(id) == (DEDUCTED, False)
    assert model.restock(beans, 1) is None
    assert model.correct(beans, -1) is None
    assert (model.on_hand[beans], model.reserved[beans]) == (0, 0)
    assert model.events["inventory.out_of_stock", "beans/"] == 2
    assert model.release(late := uuid4()) == (RELEASED, True)
    assert model.reserve(late, [item("beans", 1)]) == (RELEASED, [(0, False, None)])


@pytest.mark.parametrize("variant_id", [None, VARIANTS[0]])
def test_the_model_knows_that_a_product_with_variants_is_sold_by_them(variant_id: UUID | None) -> None:
    model = Model()
    model.add_variant(VARIANTS[0], 1)

    state, [(available, _, reason)] = model.reserve(uuid4(), [item("shirt", 1, variant_id)])

    assert (state, available, reason) == ((HELD, 1, None) if variant_id else (REFUSED, 0, "VARIANT_REQUIRED"))
    assert model.in_stock()["shirt"] == (variant_id is None)
    assert model.restock(("shirt", None), 1) == "VARIANT_REQUIRED"
