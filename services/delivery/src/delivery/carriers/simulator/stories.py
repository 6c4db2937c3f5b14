"""Writes down what the simulated carrier will do to each parcel, and what must become of it: chance, and no I/O."""

import base64
import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from random import Random
from typing import Any, Final, TypeAlias

from contracts.delivery.shipments import ShipmentStatus

from .tricks import NEED_STAFF, Trick

DELIVERED, LOST, RETURNED = ShipmentStatus.DELIVERED, ShipmentStatus.LOST, ShipmentStatus.RETURNED

_PLAYED: Final = 0.2
"""How likely each trick is for a parcel that it can be played on."""
_AFTER_LOSS: Final = ([LOST, DELIVERED], [LOST, DELIVERED], [LOST, RETURNED], [LOST])
_LONGEST_PAUSE: Final = 1.0


class Heard(StrEnum):
    """What the answer to a report comes to."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    IGNORED = "ignored"
    REFUSED = "refused"
    UNVERIFIED = "unverified"


class Signed(StrEnum):
    WELL = "well"
    FORGED = "forged"
    LONG_AGO = "long ago"


@dataclass(frozen=True, slots=True)
class Parcel:
    shipment_id: str
    tracking_number: str | None
    """None: it has not left, and staff is at hand to dispatch it."""
    pieces: int = 1


@dataclass(frozen=True, slots=True)
class Send:
    webhook_id: str
    body: bytes
    may_be: frozenset[Heard]
    signed: Signed = Signed.WELL
    copies: int = 1
    """So many of it at once."""
    trick: Trick | None = None


@dataclass(frozen=True, slots=True)
class SplitOff:
    """One piece goes into a second parcel."""


@dataclass(frozen=True, slots=True)
class Leave:
    """The staff dispatches the first parcel, or the second, under the number that the carrier has given it."""

    which: int
    tracking_number: str


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


Step: TypeAlias = Send | SplitOff | Leave | Pause


@dataclass(slots=True)
class Story:
    parcel: Parcel
    tricks: frozenset[Trick]
    steps: list[Step] = field(default_factory=list)
    becomes: dict[str, ShipmentStatus] = field(default_factory=dict)
    """Of each tracking number."""
    refused_at: set[str] = field(default_factory=set)
    """The tracking numbers in whose timelines a refusal must stand."""
    unknown: list[str] = field(default_factory=list)
    """The tracking numbers that nobody knows."""
    shipments: dict[str, str] = field(default_factory=dict)
    """Which shipment left under which number, as far as it has been played."""

    @property
    def is_delivered(self) -> bool:
        """Whether the whole order is."""
        return all(status == DELIVERED for status in self.becomes.values())


def write_stories(parcels: Sequence[Parcel], tricks: Collection[Trick], seed: int) -> list[Story]:
    """The same parcels, tricks and seed make the same stories; each trick is played on some parcel, if any can be."""
    stories = []
    for number, parcel in enumerate(parcels):
        dice = Random(f"{seed}:{number}")
        possible = [trick for trick in Trick if trick in tricks and _can_be_played(trick, parcel)]
        chosen = {trick for place, trick in enumerate(possible) if number == place or dice.random() < _PLAYED}
        stories.append(_Writer(parcel, frozenset(chosen), dice, seed).story)
    return stories


def _can_be_played(trick: Trick, parcel: Parcel) -> bool:
    if trick == Trick.SECOND_PARCEL and parcel.pieces < 2:
        return False
    return parcel.tracking_number is None or trick not in NEED_STAFF


class _Writer:
    def __init__(self, parcel: Parcel, tricks: frozenset[Trick], dice: Random, seed: int) -> None:
        self._dice = dice
        self._names = (_name(seed, parcel.shipment_id, number) for number in count())
        self.story = Story(parcel, tricks)
        if Trick.SECOND_PARCEL in tricks:
            self._add(SplitOff())
        for which in range(2 if Trick.SECOND_PARCEL in tricks else 1):
            self._tell_of(which, parcel.tracking_number or self._new_number())
        if Trick.UNKNOWN in tricks:
            self._tell_of_nobody_s()

    def _tell_of(self, which: int, number: str) -> None:
        fate = self._fate()
        self.story.becomes[number] = fate[-1]
        reports = [*self._lies(number, fate[-1]), *self._reports(number, fate)]
        if self.story.parcel.tracking_number is None:
            leave = Leave(which, number)
            reports = [*reports, leave] if Trick.EARLY in self.story.tricks else [leave, *reports]
        for step in reports:
            self._add(step)

    def _fate(self) -> list[ShipmentStatus]:
        if Trick.LOST in self.story.tricks:
            return list(self._dice.choice(_AFTER_LOSS))
        return [RETURNED] if Trick.RETURNED in self.story.tricks else [DELIVERED]

    def _reports(self, number: str, fate: Sequence[ShipmentStatus]) -> Iterator[Step]:
        told = [None, *fate]
        is_reversed = Trick.REVERSED in self.story.tricks
        if is_reversed:
            told.reverse()
        # What came before its end has no place after it: it is refused at once, or a moment after it was accepted.
        stale = fate[:-1] if is_reversed else []
        if stale and Trick.EARLY not in self.story.tricks:
            self.story.refused_at.add(number)
        for status in told:
            yield from self._report(number, status, is_stale=status in stale)

    def _report(self, number: str, status: ShipmentStatus | None, *, is_stale: bool) -> Iterator[Step]:
        if status is None:
            yield self._send(_report(number, "in_transit"), Heard.IGNORED)
            return
        may_be = {Heard.ACCEPTED, Heard.REFUSED} if is_stale else {Heard.ACCEPTED}
        body = _report(number, status.lower(), location=f"Depot {self._dice.randint(1, 99)}")
        if Trick.DUPLICATES not in self.story.tricks:
            yield self._send(body, *may_be)
            return
        again = {*may_be, Heard.REPEATED}
        several = self._send(body, *again, copies=self._dice.randint(2, 4), trick=Trick.DUPLICATES)
        yield several
        yield Send(several.webhook_id, several.body, frozenset(again), trick=Trick.DUPLICATES)
        yield self._send(body, *may_be, trick=Trick.DUPLICATES)

    def _lies(self, number: str, end: ShipmentStatus) -> Iterator[Step]:
        lie = _report(number, "returned" if end == DELIVERED else "delivered", reason="Believe me")
        for trick, signed in ((Trick.FORGED, Signed.FORGED), (Trick.OLD, Signed.LONG_AGO)):
            if trick in self.story.tricks:
                yield self._send(lie, Heard.UNVERIFIED, signed=signed, trick=trick)

    def _tell_of_nobody_s(self) -> None:
        number = self._new_number()
        self.story.unknown.append(number)
        self._add(self._send(_report(number, "delivered"), Heard.ACCEPTED, trick=Trick.UNKNOWN))

    def _send(
        self, body: bytes, *may_be: Heard, signed: Signed = Signed.WELL, copies: int = 1, trick: Trick | None = None
    ) -> Send:
        return Send(f"sim_{next(self._names)}", body, frozenset(may_be), signed, copies, trick)

    def _new_number(self) -> str:
        return f"SIM{next(self._names)[:12]}"

    def _add(self, step: Step) -> None:
        if Trick.SLOW in self.story.tricks:
            self.story.steps.append(Pause(self._dice.uniform(0, _LONGEST_PAUSE)))
        self.story.steps.append(step)


def _name(seed: int, shipment_id: str, number: int) -> str:
    """Nobody else's, though the dice are the same for every shop that is played with."""
    digest = hashlib.sha256(f"{seed}:{shipment_id}:{number}".encode()).digest()
    return base64.b32encode(digest).decode()[:24]


def _report(number: str, kind: str, **more: Any) -> bytes:
    return json.dumps({"type": f"parcel.{kind}", "data": {"tracking_number": number, **_WORDS[kind](more)}}).encode()


_WORDS: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "in_transit": lambda _: {},
    "delivered": lambda more: {
        "delivery_location": more.get("location"),
        "proof": {"note": "Signed for by the neighbour"},
    },
    "lost": lambda more: {"location": more.get("location"), "reason": "It cannot be found"},
    "returned": lambda more: {"location": more.get("location"), "reason": more.get("reason", "Nobody was at home")},
}
