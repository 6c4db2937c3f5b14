"""Runs that went as planned are measured, and the documents say which steps count."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sequences.measured import Spread, StepTiming, Timings, most_of_the_time, timing_table
from sequences.measuring import measure, traces
from sequences.observing import Recorded

from .factories import design

START = datetime(2026, 1, 1, tzinfo=UTC)


def span(
    number: int, letter: str, parent: str | None, name: str, start: float, end: float, emits: str = ""
) -> Recorded:
    """Times are in milliseconds; a name such as `Orders.make` is a step's."""
    participant, _, action = name.partition(".")
    is_step = participant[0].isupper()
    return Recorded(
        service="orders",
        trace_id=f"trace-{number}",
        span_id=f"{letter}-{number}",
        parent_id=f"{parent}-{number}" if parent else None,
        name=name,
        started_at=START + timedelta(milliseconds=start),
        ended_at=START + timedelta(milliseconds=end),
        participant=participant if is_step else None,
        action=action if is_step else None,
        heard_in="Orders" if name.startswith("event.heard") else None,
        emits=(emits,) if emits else (),
    )


def run(number: int, hold: float = 10) -> Iterator[Recorded]:
    """A request of 20 ms and what the hold takes longer than 10; the mail waits 5 ms in the outbox, 3 in the queue."""
    later = hold - 10
    yield span(number, "a", None, "http.server", 0, 20 + later)
    yield span(number, "b", "a", "Orders.placeOrder", 1, 17 + later)
    yield span(number, "c", "b", "Stock.hold", 2, 2 + hold, "StockHeld")
    yield span(number, "d", "b", "Orders.make", 13 + later, 16 + later, "OrderMade")
    yield span(number, "e", "d", "event.sent order.made", 21 + later, 21 + later)
    yield span(number, "f", "d", "event.heard order.made", 24 + later, 40 + later)
    yield span(number, "g", "f", "Mail.sendMail", 25 + later, 32 + later)


def measured(*runs: Iterator[Recorded]) -> Timings | None:
    return measure(design(), [design()], traces([span for each in runs for span in each]))


def test_the_caller_waits_for_the_request_and_the_whole_ends_with_its_last_step() -> None:
    timings = measured(run(1), run(2, hold=12), run(3, hold=40))

    assert timings is not None
    assert timings.runs == 3
    assert timings.first_call == Spread(p50=22, p95=47.2, longest=50)
    assert timings.whole == Spread(p50=34, p95=59.2, longest=62)


def test_each_step_has_its_time_its_own_part_of_it_and_its_waits() -> None:
    timings = measured(run(1))

    assert timings is not None
    assert {number: (step.took.p50, step.own) for number, step in timings.steps.items()} == {
        1: (20, 7),
        2: (10, 10),
        3: (3, 3),
        5: (7, 7),
    }
    mail = timings.steps[5]
    assert mail.outbox is not None
    assert mail.queue is not None
    assert (mail.outbox.p50, mail.queue.p50) == (5, 3)


def test_what_did_not_go_as_planned_is_not_measured() -> None:
    without_mail = (one for one in run(1) if "Mail" not in one.name)

    assert measured(without_mail) is None


def flat(milliseconds: float) -> Spread:
    return Spread(p50=milliseconds, p95=milliseconds, longest=milliseconds)


def timing(took: float, own: float, wait: float | None = None) -> StepTiming:
    waits = {} if wait is None else {"outbox": flat(wait), "queue": flat(wait)}
    return StepTiming(took=flat(took), own=own, **waits)


TIMINGS = Timings(
    runs=3,
    first_call=flat(20),
    whole=flat(600),
    steps={1: timing(20, 4), 2: timing(9, 9), 3: timing(7, 7), 5: timing(30, 30, 20)},
)


def test_the_fewest_steps_that_take_most_of_the_time_until_the_answer_are_most_of_the_time() -> None:
    assert most_of_the_time(design(), TIMINGS) == {2, 3}


def test_where_nobody_waits_for_an_answer_waiting_for_an_event_counts() -> None:
    steps = [step for step in design().model_dump(by_alias=True)["steps"] if not step["is_answer"]]

    assert most_of_the_time(design(steps=steps), TIMINGS) == {5}


def test_the_table_says_what_is_asked_for_and_whether_it_is_met() -> None:
    lines = list(timing_table(design(), TIMINGS, "by a command."))

    assert "Milliseconds, of 3 runs; by a command." in lines
    assert "| until the answer | 20.0 | 20.0 | 20.0 | p95 < 200 | met |" in lines
    assert "| until the last step has ended | 600.0 | 600.0 | 600.0 | p95 < 500 | **not met** |" in lines
    assert "| 1 | Orders: placeOrder | 20.0 | 20.0 | 20.0 | 4.0 |  |  |" in lines
    assert "| **2** | **Stock: hold** | 9.0 | 9.0 | 9.0 | 9.0 |  |  |" in lines
    assert "| 5 | Mail: sendMail | 30.0 | 30.0 | 30.0 | 30.0 | 20.0, p95 20.0 | 20.0, p95 20.0 |" in lines
