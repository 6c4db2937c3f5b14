"""The life of an order: every step that the table does not name is refused, and only the table says which."""

from datetime import UTC, datetime
from itertools import product as pairs

import pytest

from contracts.sales.orders import OrderStatus
from sales.orders.model import NEXT, InvalidStatusTransition, Origin, TooEarly, Tracking
from services.sales.tests.factories import an_order

PENDING, PENDING_SHIPMENT, CONFIRMED, SHIPPED, DELIVERED, CANCELLED = OrderStatus
LIFE = {
    (PENDING, CONFIRMED),
    (CONFIRMED, SHIPPED),
    (PENDING_SHIPMENT, SHIPPED),
    (SHIPPED, DELIVERED),
    (PENDING, CANCELLED),
    (CONFIRMED, CANCELLED),
    (PENDING_SHIPMENT, CANCELLED),
}
TOO_EARLY = {
    (PENDING, SHIPPED),
    (PENDING, DELIVERED),
    (CONFIRMED, DELIVERED),
    (PENDING_SHIPMENT, DELIVERED),
}
ORIGIN = Origin("delivery-service", datetime(2026, 1, 15, 14, 30, tzinfo=UTC), "evt_1")
TRACKING = Tracking("TRK1", "FedEx", "https://www.fedex.com/TRK1")


def test_the_table_is_the_one_of_the_design() -> None:
    assert {(now, then) for now, following in NEXT.items() for then in following} == LIFE
    assert set(NEXT) == set(OrderStatus)


@pytest.mark.rule("BR-ORD-006")
@pytest.mark.parametrize(("now", "then"), [*pairs(OrderStatus, OrderStatus)])
def test_an_order_becomes_only_what_the_table_allows(now: OrderStatus, then: OrderStatus) -> None:
    order = an_order(status=now)

    if (now, then) in LIFE:
        order._become(then, ORIGIN)
        assert (order.status, order.updated_at) == (then, ORIGIN.now)
        assert [(change.kind, change.from_status, change.to_status) for change in order.changes] == [
            ("changed", now, then)
        ]
    else:
        with pytest.raises(InvalidStatusTransition, match=f"An order that is {now} cannot become {then}."):
            order._become(then, ORIGIN)
        assert (order.status, order.changes) == (now, [])


@pytest.mark.parametrize("now", [*OrderStatus])
def test_only_an_order_that_waits_for_its_parcel_is_shipped(now: OrderStatus) -> None:
    order = an_order(status=now)

    if now in (CONFIRMED, PENDING_SHIPMENT):
        order.ship(ORIGIN, TRACKING, ORIGIN.now)
        assert (order.status, order.shipped_at) == (SHIPPED, ORIGIN.now)
        assert Tracking(order.tracking_number, order.carrier, order.tracking_url) == TRACKING
    else:
        with pytest.raises(InvalidStatusTransition):
            order.ship(ORIGIN, TRACKING, ORIGIN.now)
        assert (order.status, order.tracking_number, order.shipped_at) == (now, None, None)


@pytest.mark.parametrize("now", [*OrderStatus])
def test_only_an_order_that_was_shipped_is_delivered(now: OrderStatus) -> None:
    order = an_order(status=now)

    if now == SHIPPED:
        order.deliver(ORIGIN, at=ORIGIN.now, location="Front door")
        assert (order.status, order.delivered_at, order.delivery_location) == (DELIVERED, ORIGIN.now, "Front door")
    else:
        with pytest.raises(InvalidStatusTransition):
            order.deliver(ORIGIN, at=ORIGIN.now, location="Front door")
        assert (order.status, order.delivered_at, order.delivery_location) == (now, None, None)


@pytest.mark.parametrize(("now", "reported"), [*pairs(OrderStatus, OrderStatus)])
def test_a_report_is_news_or_too_early_or_repeated_or_refused(now: OrderStatus, reported: OrderStatus) -> None:
    order = an_order(status=now)

    if (now, reported) in TOO_EARLY:
        with pytest.raises(TooEarly):
            order.hears_of(reported, ORIGIN)
        assert order.changes == []
    else:
        assert order.hears_of(reported, ORIGIN) == ((now, reported) in LIFE)
        refused = now != reported and (now, reported) not in LIFE
        assert [(change.kind, change.to_status, change.event_id) for change in order.changes] == (
            [("refused", reported, "evt_1")] if refused else []
        )
    assert order.status == now
