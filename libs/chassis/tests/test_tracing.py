"""A trace goes on over every border by its header alone, and becomes real spans only where they are wanted."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import tracing
from chassis.errors import Conflict
from chassis.steps import note_event, step
from chassis.tracing import continue_trace, outgoing, span, traceparent, traceparents, working_for

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-00"


def test_a_new_trace_is_valid_and_its_own() -> None:
    made = {tracing.new_traceparent() for _ in range(1000)}

    assert len(made) == 1000
    assert all(tracing.valid(each) for each in made)


@given(st.text() | st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{31,33}-[0-9a-f]{15,17}-[0-9a-f]{2}"))
def test_only_the_exact_form_is_a_traceparent(header: str) -> None:
    version, _, rest = header.partition("-")
    parts = rest.split("-")
    is_right = (
        version == "00"
        and [len(part) for part in parts] == [32, 16, 2]
        and all(set(part) <= set("0123456789abcdef") for part in parts)
        and bool(parts[0].strip("0") and parts[1].strip("0"))
    )
    assert (tracing.valid(header) == header) is is_right


def test_a_trace_ends_where_it_was_left() -> None:
    with continue_trace(TRACE):
        with continue_trace(OTHER):
            assert tracing.current_trace_id() == OTHER[3:35]
        assert traceparent.get() == TRACE
        assert outgoing() == {"traceparent": TRACE}
    assert traceparent.get() is None
    assert tracing.current_trace_id() == ""
    assert outgoing() == {}


def test_a_single_trace_inside_a_batch_is_alone() -> None:
    with working_for([TRACE, OTHER]):
        assert traceparents() == (TRACE, OTHER)
        with continue_trace(OTHER):
            assert traceparents() == (OTHER,)
        assert traceparents() == (TRACE, OTHER)
    assert traceparents() == ()


@pytest.mark.parametrize("batch", ["", ",", "x", TRACE + ",x", ",".join([TRACE] * 129), "," * 100_000])
def test_a_batch_from_outside_is_taken_whole_or_not_at_all(batch: str, spans: InMemorySpanExporter) -> None:
    with continue_trace(OTHER, batch):
        assert traceparents() == (OTHER,)


def test_nobody_outside_can_name_a_batch_unless_someone_watches() -> None:
    with continue_trace(OTHER, f"{TRACE},{OTHER}"):
        assert traceparents() == (OTHER,)


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.configure_tracing("sales", None, 1.0, exporter=exporter)
    yield exporter
    tracing.stop_tracing()


def _sent(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    tracing.stop_tracing()
    return {each.name: each for each in exporter.get_finished_spans()}


@step("OrderService", "placeOrder")
def place() -> None:
    note_event("OrderPlaced")
    with span("http.client", peer="product"):
        pass


@step("OrderService", "cancelOrder")
def cancel() -> None:
    raise Conflict("Too late for hunter2.")


def test_without_an_endpoint_nothing_is_made() -> None:
    tracing.configure_tracing("sales", None)

    assert not tracing.active


def test_steps_become_spans_of_the_request_they_belong_to(spans: InMemorySpanExporter) -> None:
    with continue_trace(TRACE):
        place()

    sent = _sent(spans)
    placing, calling = sent["OrderService.placeOrder"], sent["http.client"]
    assert placing.context is not None
    assert calling.parent is not None
    assert placing.parent is not None
    assert f"{placing.context.trace_id:032x}" == TRACE[3:35]
    assert f"{placing.parent.span_id:016x}" == TRACE[36:52]
    assert calling.parent.span_id == placing.context.span_id
    assert [event.name for event in placing.events] == ["OrderPlaced"]
    assert placing.resource.attributes["service.name"] == "sales"


def test_a_trace_that_starts_here_has_a_root_under_the_id_that_was_given_out(spans: InMemorySpanExporter) -> None:
    with continue_trace(None):
        given_out = tracing.current_trace_id()
        place()

    root = _sent(spans)["OrderService.placeOrder"]
    assert root.parent is None
    assert root.context is not None
    assert f"{root.context.trace_id:032x}" == given_out


def test_a_span_says_that_it_failed_and_not_with_which_words(spans: InMemorySpanExporter) -> None:
    with continue_trace(TRACE), pytest.raises(Conflict):
        cancel()

    failed = _sent(spans)["OrderService.cancelOrder"]
    assert failed.status.description == "CONFLICT"
    assert "hunter2" not in failed.to_json()


def test_nobody_outside_can_make_us_record() -> None:
    spans = InMemorySpanExporter()
    tracing.configure_tracing("sales", None, 0.0, exporter=spans)

    with continue_trace(TRACE):
        place()

    assert _sent(spans) == {}
