"""A design that speaks of what does not exist, or contradicts itself, is named with its file and place."""

import json
from pathlib import Path
from typing import Any

import pytest

from sequences.checking import FLOWS, Language, check
from sequences.reading import Designs, read, read_text

from .factories import LANGUAGE, document


def findings(language: Language = LANGUAGE, **changes: Any) -> set[str]:
    """Without those about flows that are not there."""
    sequence, unreadable = read_text("SEQ-ORD-001.json", json.dumps(document(**changes)))
    designs = Designs({"SEQ-ORD-001.json": sequence} if sequence else {}, tuple(unreadable))
    return {f"{found.place}: {found.message}" for found in check(designs, language) if found.file != "all"}


def with_step(number: int, **changes: Any) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = document()["steps"]
    steps[number - 1] |= changes
    return steps


def with_path(**changes: Any) -> list[dict[str, Any]]:
    return [document()["exceptions"][0] | changes]


def beside(*branches: list[int]) -> list[dict[str, Any]]:
    return [{"what": "Both happen at once.", "joined": "The answer waits for both.", "branches": branches}]


def test_a_good_design_has_no_findings() -> None:
    assert findings() == set()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"steps": with_step(2, target="Nobody")}, "steps.1.target: Nobody is not among the participants."),
        ({"steps": with_step(2, actor="Nobody")}, "steps.1.actor: Nobody is not among the participants."),
        ({"steps": with_step(2, event="Nothing")}, "steps.1.event: There is no event Nothing."),
        ({"steps": with_step(2, step=7)}, "steps.1.step: This is step 2, not 7."),
        ({"steps": with_step(4, target="Stock")}, "steps.3: An answer goes from Orders to Customer."),
        ({"steps": []}, "steps: Nothing happens."),
        ({"exceptions": with_path(step=9)}, "exceptions.0.step: There is no step 9."),
        (
            {"exceptions": with_path(goes_on=True, without=[2])},
            "exceptions.0.without: There is no step 2 behind step 2.",
        ),
        ({"exceptions": with_path(without=[3])}, "exceptions.0.without: It does not go on anyway."),
        ({"exceptions": with_path(code="NO_SUCH_CODE")}, "exceptions.0.code: There is no error code NO_SUCH_CODE."),
        ({"exceptions": with_path(handling="Refuse")}, "exceptions.0.handling: It does not name INSUFFICIENT_STOCK."),
        ({"exceptions": with_path() * 2}, "exceptions.1.id: INSUFFICIENT_STOCK is there twice."),
        (
            {"exceptions": with_path(then=[{"actor": "Orders", "action": "release", "target": "Nobody"}])},
            "exceptions.0.then.0.target: Nobody is not among the participants.",
        ),
        (
            {"outcome": {"success": "Done.", "state_changes": ["Order.status = LOST"]}},
            "outcome.state_changes.0: Order is never LOST.",
        ),
        (
            {"outcome": {"success": "Done.", "state_changes": ["Cow.status = PENDING"]}},
            "outcome.state_changes.0: Nothing is known of the life of Cow.",
        ),
        (
            {"outcome": {"success": "Done.", "state_changes": []}},
            "outcome.state_changes: Events are emitted, so something has changed; what, is not said.",
        ),
        (
            {"steps": with_step(2, is_cacheable=True)},
            "steps.1.is_cacheable: Only the answer to a question can be kept and given again.",
        ),
        ({"concurrency": beside([2])}, "concurrency.0.branches: There is nothing beside it."),
        (
            {"concurrency": beside([2], [5])},
            "concurrency.0.branches: These are not steps of the sequence that follow one another.",
        ),
        ({"relatedACs": ["AC-ORD-999"]}, "relatedACs.0: There is no AC-ORD-999."),
        ({"security": None}, "security: Who may begin it, and what is checked, is not said."),
        ({"relatedBRs": []}, "relatedBRs: It realises none."),
        ({"deviation": [{"how": "Otherwise.", "adr": 99}]}, "deviation.0.adr: There is no decision 99."),
        ({"id": "SEQ-ORD-002"}, "id: SEQ-ORD-002 belongs into SEQ-ORD-002.json."),
        (
            {"participants": [*document()["participants"], {"name": "Idler", "type": "service"}]},
            "participants.4: Idler takes part and does nothing.",
        ),
        (
            {"participants": [*document()["participants"], {"name": "Stock", "type": "service"}]},
            "participants.4: Stock takes part twice.",
        ),
    ],
)
def test_what_is_wrong_has_a_place(changes: dict[str, Any], expected: str) -> None:
    assert expected in findings(**changes)


@pytest.mark.parametrize(
    ("path", "like"),
    [
        (
            {
                "id": "SOLD_OUT",
                "condition": "None left",
                "step": 2,
                "handling": "As the other",
                "error": "INSUFFICIENT_STOCK",
            },
            None,
        ),
        (
            {"id": "LUCK", "condition": "All is well", "step": 5, "handling": "Go on", "goes_on": True},
            "the planned run",
        ),
        ({**document()["exceptions"][0], "id": "SOLD_OUT"}, "INSUFFICIENT_STOCK"),
    ],
)
def test_a_path_that_nobody_could_tell_from_another_is_named(path: dict[str, Any], like: str | None) -> None:
    expected = {f"exceptions.1: A run of it looks like one of {like}."} if like else set()

    assert findings(exceptions=[document()["exceptions"][0], path]) == expected


def test_a_step_that_the_code_does_not_have_is_named() -> None:
    in_the_code = {
        ("Orders", "placeOrder"),
        ("Stock", "hold"),
        ("Orders", "make"),
        ("Mail", "sendMail"),
        ("Stock", "release"),
    }

    all_there = Language(**{**vars(LANGUAGE), "steps": frozenset(in_the_code)})
    one_gone = Language(**{**vars(LANGUAGE), "steps": frozenset(in_the_code - {("Stock", "hold")})})

    assert findings(all_there) == set()
    assert findings(one_gone) == {"steps.1.action: Nothing in the code is the step Stock.hold."}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "SEQ-ORD-001.json: line 1: This is not JSON: Expecting property name enclosed in double quotes."),
        ('{"id": 1, "id": 2}', "SEQ-ORD-001.json: The key id stands there twice."),
        (json.dumps(document(colour="blue")), "SEQ-ORD-001.json: colour: Extra inputs are not permitted"),
        (json.dumps(document(trigger={"type": "whim", "description": "So."})), "SEQ-ORD-001.json: trigger.type: "),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(text: str, expected: str) -> None:
    _, unreadable = read_text("SEQ-ORD-001.json", text)

    assert any(str(found).startswith(expected) for found in unreadable), unreadable


def test_a_folder_is_read_whole_and_lacks_no_common_flow(tmp_path: Path) -> None:
    (tmp_path / "SEQ-ORD-001.json").write_text(json.dumps(document()))
    (tmp_path / "SEQ-ORD-002.json").write_text("?")

    found = {str(finding) for finding in check(read(tmp_path), LANGUAGE)}

    assert "all: No design says how to ship (SEQ-ORD-003)." in found
    assert not any(FLOWS["place an order"] in finding for finding in found)
    assert any(finding.startswith("SEQ-ORD-002.json: line 1") for finding in found)
