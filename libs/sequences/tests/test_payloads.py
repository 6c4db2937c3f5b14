"""What is kept of a real run is the same for each run, and holds no secret."""

from typing import Any

from sequences.beside import Exchange
from sequences.payloads import MASK, check, difference, stable
from sequences.reading import Designs

from .factories import design

ONE, OTHER = "0197a5c8-7c00-7000-8000-0123456789ab", "0197a5c8-7c00-7000-8000-ba9876543210"


def test_the_same_id_stays_the_same_one_and_another_another() -> None:
    kept = stable({"request": f"GET /things/{ONE}", "answer": {"id": ONE, "parent_id": OTHER, "of": [ONE]}})

    name = kept["answer"]["id"]
    assert kept["request"] == f"GET /things/{name}"
    assert kept["answer"]["of"] == [name]
    assert name != kept["answer"]["parent_id"] != OTHER


def test_two_runs_are_kept_alike() -> None:
    def said(thing: str, trace: str, day: int, label: str) -> dict[str, str]:
        return {
            "id": thing,
            "trace_id": trace * 16,
            "at": f"2026-11-{day}T10:00:00.123456Z",
            "url": f"http://127.0.0.1:4{day}/x?number={label}",
        }

    first, second = said(ONE, "a1", 20, "TRKABCDEFGHIJKL"), said(OTHER, "b2", 21, "TRK234567ABCDEF")

    assert stable(first) == stable(second) != first


def test_times_keep_their_distance_to_the_minute() -> None:
    kept = stable({"from": "2026-11-21T10:00:00.4Z", "to": "2026-11-21T11:59:58+01:00", "soon": "2026-11-21T10:00:01Z"})

    assert kept == {"from": "2026-01-15T09:30:00Z", "to": "2026-01-15T10:30:00Z", "soon": "2026-01-15T09:30:00Z"}


def test_no_secret_is_kept_wherever_it_stands() -> None:
    token = "eyJhbGciOiJFZERTQSJ9eyJzdWIiOiIxIn0c2lnbmF0dXJl"
    said = {
        "password": "swordfish",
        "session": {"refresh_token": "abc"},
        "card_token": "tok_ok",
        "note": f"it is {token}",
    }

    kept = stable(said)

    assert kept["password"] == kept["session"]["refresh_token"] == kept["card_token"] == MASK
    assert token not in kept["note"]


def test_what_nobody_would_mind_stays_as_it_is() -> None:
    said = {
        "sku": "LAMP-RED",
        "price": "19.99",
        "available": 5,
        "token_type": "Bearer",
        "none": None,
        "product_id": "product_456",
    }

    assert stable(said) == said


def test_what_is_very_long_is_kept_short() -> None:
    assert stable({"description": "x" * 5001}) == {"description": f"{'x' * 20}… (5001 characters)"}


def test_a_difference_is_shown_line_by_line() -> None:
    assert difference({"status": 200}, {"status": 200}) == ""
    assert difference({"status": 200}, {"status": 201}).splitlines()[-3:] == [
        '-  "status": 200',
        '+  "status": 201',
        " }",
    ]


def kept(path: str, answer: Any, status: int = 400) -> list[str]:
    """What is found about this, as kept of a walk of that path."""
    seen = {"SEQ-ORD-001": {path: Exchange("POST /orders", {}, status, answer)}}
    codes = {"INSUFFICIENT_STOCK": (400, "There is not enough of it.")}
    return [str(found) for found in check(Designs({"SEQ-ORD-001.json": design()}), codes, seen)]


def test_what_was_said_on_a_walk_fits_its_design() -> None:
    short = {"error": {"code": "INSUFFICIENT_STOCK"}}
    place = "seen/exchanges.json: SEQ-ORD-001."

    assert kept("INSUFFICIENT_STOCK", short) == kept("", {"order_id": "1"}, 201) == []
    assert kept("GONE", short) == [f"{place}GONE: Nobody has designed this."]
    assert kept("INSUFFICIENT_STOCK", short, 409) == [
        f"{place}INSUFFICIENT_STOCK: It was answered 409, and INSUFFICIENT_STOCK is 400."
    ]
    assert kept("", short) == [f"{place}: It was answered with INSUFFICIENT_STOCK, and is designed to be with none."]
