"""What a step's time depends on: which of the limits and requirements are its own, and which steps are critical."""

from collections.abc import Iterator
from typing import Final

from .design import Mode, ParticipantKind, Sequence, Step
from .participants import HOMES

ANSWER, QUERY, END_TO_END = "answer", "query", "end to end"
"""What is required of the first call, of what a database is asked, and of all of it."""
DATABASE, PRODUCT, GATEWAY, MAIL, BROKER = "database", "product", "gateway", "mail", "broker"
"""What a step waits for."""
_OUTSIDE: Final = {"PaymentService": GATEWAY, "EmailService": MAIL, "EventBus": BROKER}


def waits_for(step: Step) -> str | None:
    if step.target in _OUTSIDE:
        return _OUTSIDE[step.target]
    if HOMES.get(step.target) == PRODUCT and HOMES.get(step.actor, PRODUCT) != PRODUCT:
        return PRODUCT
    return DATABASE if step.target.endswith("Aggregate") or step.target == "AuditLog" else None


def is_due(sequence: Sequence, step: Step) -> str | None:
    if step is sequence.steps[0] and _is_asked_for(sequence):
        return ANSWER
    return QUERY if waits_for(step) == DATABASE else None


def critical(sequence: Sequence) -> Iterator[Step]:
    """Whoever waits for the answer waits here for something that is not of the same process."""
    for step in sequence.steps:
        if step.mode == Mode.SYNCHRONOUS and not step.is_answer and waits_for(step):
            yield step


def _is_asked_for(sequence: Sequence) -> bool:
    kinds = {participant.name: participant.type for participant in sequence.participants}
    return kinds.get(sequence.steps[0].actor) in (ParticipantKind.ACTOR, ParticipantKind.EXTERNAL)
