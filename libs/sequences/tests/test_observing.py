"""The steps of a running system, over services and their brokers, with the time that each took and waited."""

from datetime import UTC, datetime, timedelta

from sequences.observing import Recorded, observe

START = datetime(2026, 1, 15, 12, tzinfo=UTC)


def ms(count: float) -> timedelta:
    return timedelta(milliseconds=count)


def span(span_id: str, parent: str | None, name: str, at: float, took: float, **more: object) -> Recorded:
    """`name` is that of a step as `OrderService.placeOrder`, or of something else."""
    participant, dot, action = name.partition(".")
    if dot and " " not in name and not name.startswith("http."):
        more |= {"participant": participant, "action": action}
    service = str(more.pop("service", "sales"))
    return Recorded(service, "t1", span_id, parent, name, START + ms(at), START + ms(at + took), **more)  # type: ignore[arg-type]


SPANS = [
    span("a", None, "http.server", 0, 20),
    span("b", "a", "OrderService.placeOrder", 1, 18),
    span("c", "b", "OrderAggregate.createOrder", 10, 5, emits=("OrderPlaced",)),
    span("d", "c", "event.sent order.created", 35, 0),
    span("e", "c", "event.heard order.created", 42, 9, service="delivery", heard_in="delivery"),
    span("f", "e", "ShipmentAggregate.prepare", 43, 4, service="delivery"),
    span("g", "f", "AuditLog.logAuditEvent", 44, 1, service="delivery"),
]


def test_steps_come_in_the_order_of_their_start_with_who_had_them_done() -> None:
    seen = [str(happened.call) for happened in observe(reversed(SPANS))]

    assert seen == [
        "Caller → OrderService: placeOrder",
        "OrderService → OrderAggregate: createOrder",
        "DeliveryService → ShipmentAggregate: prepare",
        "ShipmentAggregate → AuditLog: logAuditEvent",
    ]


def test_each_step_says_how_long_it_took_where_and_what_it_was_done_for() -> None:
    happened = observe(SPANS)

    assert [(one.id, one.inside, one.service, one.took) for one in happened] == [
        ("b", None, "sales", ms(18)),
        ("c", "b", "sales", ms(5)),
        ("f", "c", "delivery", ms(4)),
        ("g", "f", "delivery", ms(1)),
    ]
    assert happened[1].call.event == "OrderPlaced"


def test_the_first_step_because_of_an_event_says_how_long_that_waited_in_outbox_and_queue() -> None:
    waits = [one.after for one in observe(SPANS)]

    assert [(wait.event_type, wait.outbox, wait.queue) for wait in waits if wait] == [("order.created", ms(20), ms(7))]
    assert waits[2] is not None


def test_without_a_record_of_the_sending_no_wait_is_made_up() -> None:
    assert [one.after for one in observe([each for each in SPANS if each.span_id != "d"])] == [None] * 4


def test_clocks_that_differ_make_no_wait_negative() -> None:
    early = [each for each in SPANS if each.span_id != "d"] + [span("d", "c", "event.sent order.created", 12, 0)]

    [wait] = [one.after for one in observe(early) if one.after]

    assert wait.outbox == ms(0)
