"""Writes the JSON Schemas of all events, the AsyncAPI document and the error catalogue, or says how they are stale."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from .envelope import Envelope, Event
from .errors import CODES, describe
from .events import EVENTS

FOLDER = Path("docs/contracts")


def event_schema(event: type[Event]) -> dict[str, Any]:
    envelope = Envelope.model_json_schema(mode="serialization")
    data = event.model_json_schema(mode="serialization", ref_template="#/$defs/{model}")
    definitions = data.pop("$defs", {})
    envelope["properties"]["event_type"] = {"const": event.event_type, "type": "string"}
    envelope["properties"]["source"] = {"const": event.source, "type": "string"}
    envelope["properties"]["data"] = data
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": event.__name__,
        "description": event.__doc__,
        **{key: value for key, value in envelope.items() if key not in ("title", "description", "$defs")},
        **({"$defs": definitions} if definitions else {}),
    }


def asyncapi() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "orderflow events",
            "version": "1.0.0",
            "description": "Durable topic exchange per producer; the routing key is the event type.",
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(event) for name, event in EVENTS.items()},
        "operations": {f"send.{name}": _operation("send", name) for name in EVENTS}
        | {
            f"receive.{name}.{listener}": _operation("receive", name, listener)
            for name, event in EVENTS.items()
            for listener in sorted(event.heard_by)
        },
        "components": {"messages": {event.__name__: _message(event) for event in EVENTS.values()}},
    }


def _channel(event: type[Event]) -> dict[str, Any]:
    return {
        "address": event.event_type,
        "messages": {event.__name__: {"$ref": f"#/components/messages/{event.__name__}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": event.exchange(), "type": "topic", "durable": True},
            }
        },
    }


def _operation(action: str, name: str, listener: str | None = None) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{name}"},
        **({"summary": f"heard by {listener}"} if listener else {}),
    }


def _message(event: type[Event]) -> dict[str, Any]:
    return {
        "name": event.event_type,
        "title": event.domain_name,
        "summary": event.__doc__,
        "payload": {"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": event_schema(event)},
    }


def documents() -> dict[str, str]:
    """Every generated file's content by its name."""
    content: dict[str, Any] = {f"events/{name}.schema.json": event_schema(event) for name, event in EVENTS.items()}
    content["asyncapi.json"] = asyncapi()
    content["error-codes.json"] = [describe(code) for code in CODES]
    return {name: json.dumps(value, indent=2, ensure_ascii=False) + "\n" for name, value in content.items()}


def drift(folder: Path) -> list[str]:
    expected = documents()
    present = {str(path.relative_to(folder)): path for path in folder.rglob("*.json")}
    missing = [f"{name} is missing" for name in expected.keys() - present.keys()]
    strange = [f"{name} describes nothing that exists" for name in present.keys() - expected.keys()]
    stale = [
        f"{name} is out of date"
        for name in expected.keys() & present.keys()
        if present[name].read_text() != expected[name]
    ]
    return sorted(missing + strange + stale)


def write(folder: Path) -> None:
    for name, text in documents().items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m contracts.schemas", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 when a file is out of date")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    if not arguments.check:
        write(arguments.folder)
    elif differences := drift(arguments.folder):
        sys.exit("\n".join([*differences, "run `make contracts` and commit what it writes"]))


if __name__ == "__main__":
    main()
