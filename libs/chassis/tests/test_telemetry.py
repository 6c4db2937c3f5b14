"""A log line is one line of JSON that says where it belongs and holds no secret; metrics are each service's own."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.telemetry import REDACTED, Telemetry, configure_logging, continue_trace, logger, redact, service_name

SECRET = "hunter2"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure_logging(stream=stream)
    yield stream
    configure_logging("CRITICAL")


def only_line(log: io.StringIO) -> dict[str, Any]:
    (line,) = log.getvalue().splitlines()
    read: dict[str, Any] = json.loads(line)
    return read


def test_a_line_says_when_how_grave_what_who_and_in_which_trace(log: io.StringIO) -> None:
    token = service_name.set("sales")
    with continue_trace(TRACE):
        logger("orders").warning("order late", order_id="o-1")
    service_name.reset(token)

    line = only_line(log)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "warning",
        "event": "order late",
        "service": "sales",
        "component": "orders",
        "trace_id": TRACE[3:35],
        "order_id": "o-1",
    }


def test_what_is_beneath_the_level_is_not_written(log: io.StringIO) -> None:
    logger("orders").debug("details")

    assert log.getvalue() == ""


def test_libraries_write_in_the_same_form(log: io.StringIO) -> None:
    logging.getLogger("aio_pika").info("chatter")
    logging.getLogger("aio_pika").warning("lost %s", "amqp://sales:hunter2@mq/")

    line = only_line(log)
    assert (line["level"], line["service"], line["component"]) == ("warning", "orderflow", "aio_pika")
    assert SECRET not in log.getvalue()


@given(st.text())
def test_no_text_can_break_a_line_in_two(text: str) -> None:
    stream = io.StringIO()
    configure_logging(stream=stream)
    logger("orders").info("note", note=text, nested={"a": [text]})
    configure_logging("CRITICAL")

    assert stream.getvalue().count("\n") == 1
    assert "\r" not in stream.getvalue()
    json.loads(stream.getvalue())


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "new_password",
        "token",
        "accessToken",
        "Authorization",
        "card_token",
        "client-secret",
        "shipping_address",
        "email",
        "set-cookie",
    ],
)
def test_what_a_secret_is_called_hides_it_however_deep(key: str) -> None:
    assert redact(None, "", {key: SECRET}) == {key: REDACTED}
    deep = redact(None, "", {"body": {"items": [{key: [SECRET]}]}, "pair": (1, {key: SECRET})})
    assert SECRET not in json.dumps(deep)


@pytest.mark.parametrize(
    "text",
    [
        "asyncpg.UniqueViolationError: duplicate key\nDETAIL:  Key (email)=(hunter2) already exists.",
        "sqlalchemy.exc.IntegrityError\n[SQL: INSERT INTO a]\n[parameters: ('hunter2', 1)]\n(Background on this error)",
        "line1\n  Input should be an integer [type=int_parsing, input_value='hunter2', input_type=str]",
        "{'type': 'int_parsing', 'loc': ('response', 'a'), 'msg': 'no', 'input': 'hunter2'}",
        "could not connect to postgresql+asyncpg://sales:hunter2@db:5432/sales",
        "Authorization: Bearer hunter2",
        "token eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJodW50ZXIyIn0.hunter2",
        "no such customer: hunter2@example.com",
        "retry with password=hunter2 please",
    ],
)
def test_what_libraries_write_into_their_exceptions_is_taken_out(text: str) -> None:
    cleaned = redact(None, "", {"exception": text})["exception"]

    assert SECRET not in cleaned
    assert REDACTED in cleaned
    assert cleaned[:5] == text[:5]


def test_what_is_no_secret_stays() -> None:
    event = {"order_id": "o-1", "count": 3, "reason": "took 3 ms: DETAILS follow", "items": ["a", {"b": None}]}

    assert redact(None, "", dict(event)) == event


def test_an_exception_is_logged_with_where_it_happened(log: io.StringIO) -> None:
    try:
        raise ValueError("password=hunter2")
    except ValueError:
        logger("orders").exception("it broke")

    line = only_line(log)
    assert "test_telemetry.py" in line["exception"]
    assert SECRET not in line["exception"]


def test_people_may_read_lines_instead(log: io.StringIO) -> None:
    configure_logging(json=False, stream=log)

    try:
        raise ValueError("password=hunter2")
    except ValueError:
        logger("orders").exception("it broke", password=SECRET)

    assert "it broke" in log.getvalue()
    assert SECRET not in log.getvalue()


def test_services_in_one_process_count_for_themselves() -> None:
    sales, product = Telemetry("sales"), Telemetry("product")

    sales.answered("GET", "/orders", 200, 0.003)
    sales.answered("GET", "/orders", 200, 0.004)
    sales.sent.inc(3)

    assert b'http_requests_total{method="GET",route="/orders",status="200"} 2.0' in sales.exposition()
    assert b"events_sent_total 3.0" in sales.exposition()
    assert b"/orders" not in product.exposition()
