"""Makes a design of a run that nobody has designed: a draft, for somebody to give it a name and words."""

from collections.abc import Sequence as Several
from typing import Any, Final

from .comparing import Call
from .design import ParticipantKind

UNSAID: Final = "To be said."


def derive(sequence_id: str, calls: Several[Call]) -> dict[str, Any]:
    """In the form of a design; what the run cannot tell is left to be said."""
    first = calls[0]
    names = dict.fromkeys(name for call in calls for name in (call.actor, call.target))
    return {
        "id": sequence_id,
        "name": _in_words(first.action),
        "description": UNSAID,
        "trigger": {
            "type": "user_action" if _kind(first.actor, first) == ParticipantKind.ACTOR else "system_event",
            "description": UNSAID,
        },
        "participants": [{"name": name, "type": _kind(name, first)} for name in names],
        "steps": [_step(number, call) for number, call in enumerate(calls, 1)],
        "outcome": {"success": UNSAID, "state_changes": [f"{call.event}: {UNSAID}" for call in calls if call.event]},
        "exceptions": [],
        "relatedACs": [],
        "relatedBRs": [],
    }


def _step(number: int, call: Call) -> dict[str, Any]:
    step = {"step": number, "actor": call.actor, "action": call.action, "target": call.target}
    return {**step, "event": call.event} if call.event else step


def _kind(name: str, first: Call) -> ParticipantKind:
    for ending, kind in (("Aggregate", ParticipantKind.AGGREGATE), ("Service", ParticipantKind.SERVICE)):
        if name.endswith(ending):
            return kind
    return ParticipantKind.ACTOR if name == first.actor else ParticipantKind.SERVICE


def _in_words(action: str) -> str:
    """`placeOrder` is "Place order"."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in action)
    return words[:1].upper() + words[1:]
