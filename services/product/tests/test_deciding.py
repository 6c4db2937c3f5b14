"""Who gets what, and how a reservation may end: the rules by themselves."""

from collections import Counter
from itertools import product as pairs
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.product import Reservation, ReservationState
from product.inventory.model import (
    DEDUCTED,
    HELD,
    NEXT,
    REFUSED,
    RELEASED,
    Decision,
    Offer,
    ReservationMismatch,
    decide,
    judge,
)
from services.product.tests.factories import item, reservation

PRODUCTS = ["beans", "kettle", "mug"]


def on_offer(**available: int) -> dict[str, Offer]:
    return {id: Offer(id.title(), 9_90, "EUR", count) for id, count in available.items()}


stocks = st.dictionaries(st.sampled_from(PRODUCTS), st.integers(0, 12), max_size=3)
requests = st.lists(
    st.builds(
        lambda items: Reservation(reservation_id=uuid4(), items=items),
        st.lists(
            st.builds(
                item,
                st.sampled_from([*PRODUCTS, "unheard-of"]),
                st.integers(1, 8),
                st.sampled_from([None, None, None, uuid4()]),
            ),
            min_size=1,
            max_size=4,
        ),
    ),
    max_size=12,
)


@given(stocks, requests)
def test_each_is_decided_as_if_it_had_come_alone_after_those_before_it(
    stock: dict[str, int], wanted: list[Reservation]
) -> None:
    decisions = decide(wanted, on_offer(**stock))

    left = Counter(stock)
    for one, decision in zip(wanted, decisions, strict=True):
        asked = Counter[str]()
        for each in one.items:
            asked[each.product_id] += each.quantity
        real = all(each.variant_id is None and each.product_id in stock for each in one.items)
        fits = real and all(quantity <= left[id] for id, quantity in asked.items())
        assert decision.state == (HELD if fits else REFUSED)
        for each, answered in zip(one.items, decision.items, strict=True):
            known = each.variant_id is None and each.product_id in stock
            assert answered.available == (left[each.product_id] if known else 0)
            assert answered.requested == each.quantity
            assert (answered.unit_price is not None) == known
        if fits:
            assert decision.lines() == asked
            left -= asked


@given(stocks, requests)
def test_never_more_is_held_than_there_is(stock: dict[str, int], wanted: list[Reservation]) -> None:
    decisions = decide(wanted, on_offer(**stock))

    held = sum((decision.lines() for decision in decisions if decision.state == HELD), Counter[str]())
    assert all(quantity <= stock[id] for id, quantity in held.items())


@given(stocks, requests)
def test_who_is_refused_lacks_at_least_one_item_and_who_is_held_none(
    stock: dict[str, int], wanted: list[Reservation]
) -> None:
    for decision in decide(wanted, on_offer(**stock)):
        assert (decision.state == HELD) == all(each.is_available for each in decision.items)


def test_a_large_order_that_does_not_fit_leaves_the_stock_to_the_small_ones_behind_it() -> None:
    decisions = decide([reservation(("mug", 4)), reservation(("mug", 9)), reservation(("mug", 6))], on_offer(mug=10))

    assert [decision.state for decision in decisions] == [HELD, REFUSED, HELD]
    assert [decision.items[0].available for decision in decisions] == [10, 6, 6]


def test_lines_of_the_same_product_add_up() -> None:
    judged = judge(
        [item("mug", 6), item("kettle", 1), item("mug", 5)], on_offer(mug=10, kettle=1), {"mug": 10, "kettle": 1}
    )

    assert [(each.requested, each.available, each.is_available) for each in judged] == [
        (6, 10, True),
        (1, 1, True),
        (5, 10, False),
    ]


def test_a_variant_is_unknown_and_takes_nothing_from_its_product() -> None:
    asked = [item("mug", 5, uuid4()), item("mug", 5)]

    variant, plain = judge(asked, on_offer(mug=5), {"mug": 5})

    assert (variant.available, variant.is_available, variant.name) == (0, False, None)
    assert variant.variant_id == asked[0].variant_id
    assert (plain.available, plain.is_available, plain.name) == (5, True, "Mug")


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
    assert [(each.requested, each.available, each.is_available) for each in answer.items] == [(2, 0, False)]


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
