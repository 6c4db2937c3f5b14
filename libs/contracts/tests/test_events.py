"""Events: what was released stays readable for ever, and the documents say what the code says."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from contracts.delivery.shipments import OrderStatusUpdated
from contracts.envelope import Envelope
from contracts.errors import CODES
from contracts.events import EVENTS
from contracts.sales.orders import OrderStatus
from contracts.schemas import drift, event_schema, write

GOLDEN = Path(__file__).parent / "golden"
DOCUMENTS = Path(__file__).parents[3] / "docs" / "contracts"

SHIPPED_IN_THE_SPEC = {
    "event_id": "evt_shipped_123",
    "event_type": "order.status_updated",
    "timestamp": "2024-01-15T14:30:00Z",
    "source": "delivery-service",
    "data": {
        "order_id": "550e8400-e29b-41d4-a716-446655440000",
        "previous_status": "PENDING_SHIPMENT",
        "current_status": "SHIPPED",
        "tracking_number": "TRK123456789",
        "carrier": "FedEx",
    },
}
DELIVERED_IN_THE_SPEC = {
    "event_id": "evt_delivered_123",
    "event_type": "order.status_updated",
    "timestamp": "2024-01-17T16:45:00Z",
    "source": "delivery-service",
    "data": {
        "order_id": "550e8400-e29b-41d4-a716-446655440000",
        "previous_status": "SHIPPED",
        "current_status": "DELIVERED",
        "delivered_at": "2024-01-17T16:45:00Z",
        "delivery_location": "Front door",
    },
}


def golden(event_type: str) -> dict[str, Any]:
    sample: dict[str, Any] = json.loads((GOLDEN / f"{event_type}.json").read_text())
    return sample


@pytest.mark.parametrize("event_type", EVENTS)
def test_a_released_event_stays_readable_and_is_written_again_as_it_was(event_type: str) -> None:
    sample = golden(event_type)

    envelope = Envelope.model_validate_json(json.dumps(sample))
    event = EVENTS[event_type].model_validate(envelope.data)

    assert json.loads(Envelope.around(event, envelope.event_id, envelope.timestamp).encode()) == sample


@pytest.mark.parametrize("event_type", EVENTS)
def test_a_released_event_fits_its_json_schema_and_a_mutilated_one_does_not(event_type: str) -> None:
    sample, schema = golden(event_type), event_schema(EVENTS[event_type])
    jsonschema.Draft202012Validator.check_schema(schema)

    jsonschema.validate(sample, schema)
    for name in schema["properties"]["data"]["required"]:
        data = {key: value for key, value in sample["data"].items() if key != name}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**sample, "data": data}, schema)


@pytest.mark.parametrize("example", [SHIPPED_IN_THE_SPEC, DELIVERED_IN_THE_SPEC], ids=["shipped", "delivered"])
def test_the_status_events_have_exactly_the_form_of_the_specification(example: dict[str, Any]) -> None:
    envelope = Envelope.model_validate_json(json.dumps(example))
    event = OrderStatusUpdated.model_validate(envelope.data)

    written = Envelope.around(event, envelope.event_id, envelope.timestamp).encode()

    assert json.loads(written) == example
    assert list(json.loads(written)) == list(example)


def test_a_field_that_a_later_version_adds_does_no_harm() -> None:
    later = {**SHIPPED_IN_THE_SPEC["data"], "weight": "2 kg"}  # type: ignore[dict-item]

    assert OrderStatusUpdated.model_validate(later).current_status is OrderStatus.SHIPPED


def test_times_leave_as_utc_with_a_z() -> None:
    event = OrderStatusUpdated.model_validate(SHIPPED_IN_THE_SPEC["data"])

    written = json.loads(Envelope.around(event, "e", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)).encode())

    assert written["timestamp"] == "2026-01-02T03:04:05Z"


def test_every_event_says_what_is_true_now_and_names_its_producer() -> None:
    for event in EVENTS.values():
        assert event.__doc__
        assert event.source.endswith("-service")
        assert event.exchange() == f"{event.producer()}.events"


def test_the_committed_documents_are_those_of_the_code() -> None:
    assert drift(DOCUMENTS) == []


def test_a_stale_a_missing_and_a_strange_document_are_found(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "asyncapi.json").write_text("{}")
    (tmp_path / "error-codes.json").unlink()
    (tmp_path / "events" / "order.forgotten.schema.json").write_text("{}")

    assert drift(tmp_path) == [
        "asyncapi.json is out of date",
        "error-codes.json is missing",
        "events/order.forgotten.schema.json describes nothing that exists",
    ]


def test_every_error_code_has_a_status_and_a_sentence() -> None:
    for code, (status, meaning) in CODES.items():
        assert code == code.upper()
        assert 400 <= status < 600
        assert meaning.endswith(".")
