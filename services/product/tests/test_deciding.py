"""Who gets what, and how a reservation may end: the rules by themselves."""

import json
from collections import Counter
from itertools import product as pairs
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.product.inventory import QuotedItem, Reservation, ReservationState, Unavailable
from product.inventory.commands import ITEMS
from product.inventory.model import (
    DEDUCTED,
    HELD,
    NEXT,
    REFUSED,
    RELEASED,
    Article,
    Decision,
    Offer,
    Offers,
    ReservationMismatch,
    decide,
    full_name,
    judge,
    stock_of,
)
from services.product.tests.factories import item, reservation

VARIANT_REQUIRED = Unavailable.VARIANT_REQUIRED
Stock = dict[Article, int | Unavailable]
PRODUCTS = ["beans", "kettle", "mug"]
RED, BLUE = UUID(int=1), UUID(int=2)
ARTICLES: list[Article] = [(product_id, variant_id) for product_id in PRODUCTS for variant_id in (None, RED, BLUE)]


def on_offer(**available: int) -> dict[Article, Offer | Unavailable]:
    return {(id, None): offer(id, count) for id, count in available.items()}


def offer(product_id: str, available: int) -> Offer:
    return Offer(product_id.title(), 9_90, "EUR", 350, available)


stocks = st.dictionaries(st.sampled_from(ARTICLES), st.integers(0, 12) | st.sampled_from(Unavailable), max_size=6)
requests = st.lists(
    st.builds(
        lambda items: Reservation(reservation_id=uuid4(), items=items),
        st.lists(
            st.builds(
                lambda article, quantity: item(article[0], quantity, article[1]),
                st.sampled_from([*ARTICLES, ("unheard-of", None)]),
                st.integers(1, 8),
            ),
            min_size=1,
            max_size=4,
        ),
    ),
    max_size=12,
)


def offered(stock: Stock) -> dict[Article, Offer | Unavailable]:
    return {
        article: there if isinstance(there, Unavailable) else offer(article[0], there)
        for article, there in stock.items()
    }


def counted(stock: Stock) -> Counter[Article]:
    return Counter({article: there for article, there in stock.items() if not isinstance(there, Unavailable)})


@given(stocks, requests)
def test_each_is_decided_as_if_it_had_come_alone_after_those_before_it(stock: Stock, wanted: list[Reservation]) -> None:
    decisions = decide(wanted, offered(stock))

    left = counted(stock)
    for one, decision in zip(wanted, decisions, strict=True):
        asked = Counter[Article]()
        for each in one.items:
            asked[each.product_id, each.variant_id] += each.quantity
        fits = all(article in left and quantity <= left[article] for article, quantity in asked.items())
        assert decision.state == (HELD if fits else REFUSED)
        for each, answered in zip(one.items, decision.items, strict=True):
            article = each.product_id, each.variant_id
            known = article in left
            assert (answered.product_id, answered.variant_id, answered.requested) == (*article, each.quantity)
            assert answered.available == (left[article] if known else 0)
            assert (answered.unit_price is not None) == known
            assert answered.reason == (None if known else stock.get(article, Unavailable.UNKNOWN))
        if fits:
            assert decision.holds == asked
            left.subtract(asked)
            assert set(decision.took_last) == {article for article in asked if not left[article]}
        else:
            assert not decision.holds
            assert not decision.took_last


@pytest.mark.rule("BR-INV-001")
@given(stocks, requests)
def test_never_more_is_held_than_there_is(stock: Stock, wanted: list[Reservation]) -> None:
    decisions = decide(wanted, offered(stock))

    held = sum((Counter(decision.holds) for decision in decisions), Counter[Article]())
    assert all(quantity <= counted(stock)[article] for article, quantity in held.items())


@given(stocks, requests)
def test_who_is_refused_lacks_at_least_one_item_and_who_is_held_none(stock: Stock, wanted: list[Reservation]) -> None:
    for decision in decide(wanted, offered(stock)):
        assert (decision.state == HELD) == all(each.is_available for each in decision.items)


@given(stocks, requests)
def test_the_last_piece_of_anything_is_taken_once(stock: Stock, wanted: list[Reservation]) -> None:
    taken = [article for decision in decide(wanted, offered(stock)) for article in decision.took_last]

    assert len(taken) == len(set(taken))


def test_a_large_order_that_does_not_fit_leaves_the_stock_to_the_small_ones_behind_it() -> None:
    decisions = decide([reservation(("mug", 4)), reservation(("mug", 9)), reservation(("mug", 6))], on_offer(mug=10))

    assert [decision.state for decision in decisions] == [HELD, REFUSED, HELD]
    assert [decision.items[0].available for decision in decisions] == [10, 6, 6]


def test_lines_of_the_same_product_add_up() -> None:
    offers = on_offer(mug=10, kettle=1)

    judged = judge([item("mug", 6), item("kettle", 1), item("mug", 5)], offers, stock_of(offers))

    assert [(each.requested, each.available, each.is_available) for each in judged] == [
        (6, 10, True),
        (1, 1, True),
        (5, 10, False),
    ]


def test_each_variant_counts_by_itself() -> None:
    offers: Offers = {("mug", RED): offer("mug", 5), ("mug", BLUE): offer("mug", 4), ("mug", None): VARIANT_REQUIRED}

    judged = judge([item("mug", 5, RED), item("mug", 5, BLUE), item("mug", 1)], offers, stock_of(offers))

    assert [(each.variant_id, each.available, each.is_available, each.reason) for each in judged] == [
        (RED, 5, True, None),
        (BLUE, 4, False, None),
        (None, 0, False, VARIANT_REQUIRED),
    ]


@pytest.mark.parametrize("reason", Unavailable)
def test_of_what_cannot_be_had_neither_name_nor_price_is_told_but_why(reason: Unavailable) -> None:
    [judged] = judge([item("mug", 1)], {("mug", None): reason}, {})

    assert judged == QuotedItem(product_id="mug", requested=1, available=0, is_available=False, reason=reason)


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ((None, None), "Stoneware mug"),
        (("L", None), "Stoneware mug, L"),
        ((None, "red"), "Stoneware mug, red"),
        (("L", "red"), "Stoneware mug, L, red"),
    ],
)
def test_a_variant_is_named_after_its_product_and_what_it_is_like(
    attributes: tuple[str | None, ...], name: str
) -> None:
    assert full_name("Stoneware mug", *attributes) == name


def test_the_longest_name_still_fits_into_the_line_of_an_order() -> None:
    name = full_name("m" * 200, "l" * 40, "r" * 40)

    assert len(name) == 200
    assert name.startswith("mmm")
    assert name.endswith("m…, " + "l" * 40 + ", " + "r" * 40)
    assert full_name("m" * 200) == "m" * 200


def test_what_was_answered_before_there_were_reasons_and_weights_is_answered_so_again() -> None:
    asked = reservation(("mug", 3))
    answer = """[{"product_id": "mug", "requested": 3, "available": 2, "is_available": false,
        "name": "Mug", "unit_price": "14.05", "currency": "EUR"}]"""

    again = Decision(REFUSED, ITEMS.validate_json(answer)).answer(asked)

    assert not isinstance(again, ReservationMismatch)
    assert [each.model_dump(mode="json", exclude_none=True) for each in again.items] == json.loads(answer)


def test_who_asks_again_gets_the_first_answer_while_it_holds() -> None:
    asked = reservation(("mug", 2))
    [decision] = decide([asked], on_offer(mug=2))

    assert decision.answer(asked) == Decision(HELD, decision.items).answer(asked)
    later = Decision(DEDUCTED, decision.items).answer(asked)
    assert not isinstance(later, ReservationMismatch)
    assert (later.state, later.all_available, later.items) == (DEDUCTED, True, decision.items)


@pytest.mark.parametrize("was_held", [True, False])
def test_what_was_released_is_not_promised_once_more(was_held: bool) -> None:
    asked = reservation(("mug", 2))
    first = decide([asked], on_offer(mug=2))[0].items if was_held else []

    answer = Decision(RELEASED, first).answer(asked)

    assert not isinstance(answer, ReservationMismatch)
    assert (answer.state, answer.all_available) == (RELEASED, False)
    assert answer.items == [QuotedItem(product_id="mug", requested=2, available=0, is_available=False)]


@pytest.mark.parametrize(
    "others",
    [[("mug", 3)], [("kettle", 2)], [("mug", 2), ("mug", 2)], [item("mug", 2, uuid4())]],
    ids=["quantity", "product", "one more", "variant"],
)
@pytest.mark.parametrize("state", ReservationState)
def test_other_items_under_the_same_id_are_a_mismatch_in_every_state(state: ReservationState, others: list) -> None:  # type: ignore[type-arg]
    [decision] = decide([reservation(("mug", 2))], on_offer(mug=2))

    assert isinstance(Decision(state, decision.items).answer(reservation(*others)), ReservationMismatch)


@pytest.mark.parametrize(("before", "after"), list(pairs(ReservationState, repeat=2)))
def test_only_what_is_held_can_end_and_only_once(before: ReservationState, after: ReservationState) -> None:
    assert (after in NEXT[before]) == (before == HELD and after in {RELEASED, DEDUCTED})
