"""What the simulated carrier does: the same for the same seed, each trick somewhere, with an end known before."""

import asyncio
import json
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from contracts.delivery.shipments import ShipmentStatus
from delivery.carriers.simulator.playing import Stage, play
from delivery.carriers.simulator.stories import Heard, Leave, Parcel, Send, Signed, SplitOff, Story, write_stories
from delivery.carriers.simulator.tricks import NEED_STAFF, Trick


def stories(tricks: Collection[Trick], *, count: int = 200, seed: int = 1, left: bool = False) -> list[Story]:
    parcels = [Parcel(f"s{number}", f"TRK-{number:04}" if left else None, pieces=2) for number in range(count)]
    return write_stories(parcels, tricks, seed)


def sends(story: Story) -> list[Send]:
    return [step for step in story.steps if isinstance(step, Send)]


def said(send: Send) -> dict[str, Any]:
    return dict(json.loads(send.body))


def test_the_same_seed_makes_the_same_stories_and_another_makes_others() -> None:
    once, again, other = stories(set(Trick)), stories(set(Trick)), stories(set(Trick), seed=2)

    assert once == again
    assert once != other


def test_each_trick_is_played_and_no_other() -> None:
    assert {trick for story in stories(set(Trick)) for trick in story.tricks} == set(Trick)
    assert {trick for story in stories([]) for trick in story.tricks} == set()


def test_even_a_few_parcels_show_each_trick() -> None:
    assert {trick for story in stories(set(Trick), count=len(Trick)) for trick in story.tricks} == set(Trick)


def test_without_tricks_each_parcel_leaves_and_is_delivered() -> None:
    for story in stories([]):
        [number] = story.becomes
        assert story.steps[0] == Leave(0, number)
        assert [said(send)["type"] for send in sends(story)] == ["parcel.in_transit", "parcel.delivered"]
        assert story.becomes == {number: ShipmentStatus.DELIVERED}
        assert story.is_delivered


def test_what_has_left_already_needs_no_staff() -> None:
    for story in stories(set(Trick), left=True):
        assert not story.tricks & NEED_STAFF
        assert all(isinstance(step, Send) or hasattr(step, "seconds") for step in story.steps)
        assert list(story.becomes) == [story.parcel.tracking_number]


def test_a_carrier_that_is_early_reports_before_the_parcel_leaves() -> None:
    for story in stories([Trick.EARLY]):
        if Trick.EARLY in story.tricks:
            assert isinstance(story.steps[-1], Leave)


def test_a_second_parcel_has_a_number_and_a_fate_of_its_own() -> None:
    two = [story for story in stories([Trick.SECOND_PARCEL, Trick.LOST]) if Trick.SECOND_PARCEL in story.tricks]

    assert all(isinstance(story.steps[0], SplitOff) and len(story.becomes) == 2 for story in two)
    assert any(len(set(story.becomes.values())) == 2 for story in two)


def test_of_one_piece_there_is_no_second_parcel() -> None:
    assert write_stories([Parcel("s", None, pieces=1)], [Trick.SECOND_PARCEL], 1)[0].tricks == frozenset()


def test_what_is_lost_is_found_or_comes_back_or_stays_lost() -> None:
    ends = {status for story in stories([Trick.LOST]) for status in story.becomes.values()}

    assert ends == {ShipmentStatus.DELIVERED, ShipmentStatus.RETURNED, ShipmentStatus.LOST}


def test_reversed_what_came_before_the_end_must_be_refused() -> None:
    told = [story for story in stories([Trick.LOST, Trick.REVERSED]) if story.refused_at]

    assert told
    for story in told:
        *_, stale, first = sends(story)
        assert (said(stale)["type"], said(first)["type"]) == ("parcel.lost", "parcel.in_transit")
        assert stale.may_be == {Heard.ACCEPTED, Heard.REFUSED}


@pytest.mark.parametrize(("trick", "signed"), [(Trick.FORGED, Signed.FORGED), (Trick.OLD, Signed.LONG_AGO)])
def test_lies_say_the_contrary_and_must_not_be_believed(trick: Trick, signed: Signed) -> None:
    for story in stories([trick, Trick.RETURNED]):
        for send in sends(story):
            if send.signed != Signed.WELL:
                is_delivered = said(send)["type"] == "parcel.delivered"
                assert (send.signed, send.may_be) == (signed, frozenset({Heard.UNVERIFIED}))
                assert is_delivered != story.is_delivered


def test_numbers_and_ids_are_used_once() -> None:
    written = stories(set(Trick), count=500)

    numbers = [number for story in written for number in [*story.becomes, *story.unknown]]
    ids = [(send.webhook_id, send.body) for story in written for send in sends(story)]
    assert len(set(numbers)) == len(numbers)
    assert len({webhook_id for webhook_id, _ in ids}) == len(set(ids))


class Unwilling:
    """Staff that refuses to dispatch; whoever is asked for anything else never answers."""

    async def get(self, path: str) -> Any:
        await asyncio.Event().wait()

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        raise PermissionError(path)


async def never(path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
    await asyncio.Event().wait()
    raise AssertionError


async def test_what_stops_one_story_stops_all_and_is_raised_as_it_is() -> None:
    """Also of several that fail at once."""
    waiting = stories([], count=1, left=True)

    with pytest.raises(PermissionError):
        await play(
            [*waiting, *stories([], count=3)],
            Stage("Simulator", "whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQ=", never, Unwilling()),
        )
