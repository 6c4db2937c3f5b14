"""Whatever is done to a cart in whatever order, it holds and tells what a few lines of Python say that it must."""

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from sales.carts import commands
from services.sales.tests.factories import Sales
from services.sales.tests.fake_product import Ware
from services.sales.tests.shopping import Guest, Shopper, a_customer, a_guest

STOCK = {"beans": 9, "kettle": 4, "mug": 0}
WHO = ["grace", "guest"]

products = st.sampled_from([*STOCK, "unheard-of"])
doings = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(WHO), products, st.integers(1, 5)),
        st.tuples(st.just("change"), st.sampled_from(WHO), products, st.integers(0, 6)),
        st.tuples(st.just("remove"), st.sampled_from(WHO), products),
        st.tuples(st.just("clear"), st.sampled_from(WHO)),
        st.just(("log in", "guest")),
    ),
    min_size=3,
    max_size=15,
)


class Model:
    """Two carts, and what was told of each of them."""

    def __init__(self) -> None:
        self.carts: dict[str, Counter[str]] = {who: Counter() for who in WHO}
        self.told: Counter[str] = Counter()

    def add(self, who: str, product: str, quantity: int) -> str:
        wanted = self.carts[who][product] + quantity
        if product not in STOCK:
            return "PRODUCT_NOT_AVAILABLE"
        if not STOCK[product]:
            return "OUT_OF_STOCK"
        if wanted > STOCK[product]:
            return "QUANTITY_EXCEEDS_STOCK"
        self.carts[who][product] = wanted
        return self._tell("cart.item_added")

    def change(self, who: str, product: str, quantity: int) -> str:
        if quantity == 0 or not self.carts[who][product]:
            return self.remove(who, product)
        if quantity > STOCK[product]:
            return "QUANTITY_EXCEEDS_STOCK"
        if self.carts[who][product] == quantity:
            return ""
        self.carts[who][product] = quantity
        return self._tell("cart.quantity_updated")

    def remove(self, who: str, product: str) -> str:
        if not self.carts[who].pop(product, 0):
            return "ITEM_NOT_FOUND"
        return self._tell("cart.item_removed")

    def clear(self, who: str) -> str:
        if +self.carts[who]:
            self._tell("cart.cleared")
        self.carts[who].clear()
        return ""

    def log_in(self) -> None:
        for product, quantity in (+self.carts["guest"]).items():
            self.carts["grace"][product] += quantity
            self._tell("cart.item_added")
        self.carts["guest"].clear()

    def _tell(self, event_type: str) -> str:
        self.told[event_type] += 1
        return ""


async def item_of(shopper: Shopper, product: str) -> str:
    items = {item["product_id"]: item["item_id"] for item in (await shopper.cart())["items"]}
    return str(items.get(product, "550e8400-e29b-41d4-a716-446655440000"))


async def do(shopper: Shopper, what: str, *more: Any) -> str:
    match what, *more:
        case "add", product, quantity:
            answer = await shopper.add(product, quantity)
        case "change", product, quantity:
            answer = await shopper.change(await item_of(shopper, product), quantity)
        case "remove", product:
            answer = await shopper.remove(await item_of(shopper, product))
        case _:
            answer = await shopper.clear()
    return "" if answer.is_success else str(answer.json()["error"]["code"])


async def start_again(sales: Sales) -> dict[str, Shopper]:
    sales.product.wares = {name: Ware(stock, 100) for name, stock in STOCK.items()}
    async with sales.service.database.begin() as session:
        await session.execute(text("DELETE FROM carts"))
        await session.execute(text("DELETE FROM outbox"))
    return {"grace": a_customer(sales, "grace"), "guest": await a_guest(sales)}


async def log_in(sales: Sales, people: dict[str, Shopper]) -> None:
    guest = people["guest"]
    assert isinstance(guest, Guest)
    async with sales.service.database.begin() as session:
        await commands.merge_guest_cart(session, "grace", guest.token)
    people["guest"] = await a_guest(sales)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(doings=doings)
async def test_what_is_done_one_after_the_other_comes_to_what_it_must(
    sales: Sales, doings: list[tuple[Any, ...]]
) -> None:
    model, people = Model(), await start_again(sales)

    for what, who, *more in doings:
        if what == "log in":
            model.log_in()
            await log_in(sales, people)
        else:
            assert await do(people[who], what, *more) == getattr(model, what)(who, *more), (what, who, more)

    for who, shopper in people.items():
        shown = await shopper.cart()
        expected = +model.carts[who]
        can_be_had = sum(min(quantity, STOCK[name]) for name, quantity in expected.items()) * 100
        assert {item["product_id"]: item["quantity"] for item in shown["items"]} == expected
        assert shown["total"] == (f"{can_be_had / 100:.2f}" if can_be_had else None)
    assert Counter(event["event_type"] for event in await sales.published()) == model.told
    assert await sales.rows("SELECT 1 FROM cart_items WHERE cart_id NOT IN (SELECT id FROM carts)") == []


def test_the_model_itself_can_tell_right_from_wrong() -> None:
    model = Model()

    assert [model.add("grace", "kettle", 3), model.add("guest", "kettle", 4)] == ["", ""]
    assert model.add("grace", "kettle", 2) == "QUANTITY_EXCEEDS_STOCK"
    assert (model.change("grace", "kettle", 3), model.remove("grace", "beans")) == ("", "ITEM_NOT_FOUND")
    model.log_in()
    assert model.carts == {"grace": Counter(kettle=7), "guest": Counter()}
    assert model.told == Counter({"cart.item_added": 3})
