"""What the broker says of messages under way on one channel, and to which of them it belongs."""

import asyncio

import pytest

from chassis.broker import NotConfirmed
from chassis.broker.arrival import Confirmed, Returned
from chassis.broker.confirms import Confirms, Result
from libs.chassis.tests.broker.factories import messages


class Sent:
    """A batch of which nothing is known yet."""

    def __init__(self, confirms: Confirms, count: int) -> None:
        self.messages = messages(count)
        self.results: list[Result] = [NotConfirmed("no word")] * count
        self.ended = confirms.expect(dict(enumerate(self.messages)), self.results)

    @property
    def kinds(self) -> list[str]:
        return [type(result).__name__ for result in self.results]


@pytest.fixture
async def confirms() -> Confirms:
    return Confirms()


async def test_a_batch_has_ended_when_the_last_of_it_is_confirmed_in_whatever_order(confirms: Confirms) -> None:
    sent = Sent(confirms, 3)

    for tag in (2, 3):
        confirms.take(Confirmed(tag, multiple=False, refused=False))
    assert not sent.ended.done()
    assert sent.kinds == ["NotConfirmed", "NoneType", "NoneType"]
    confirms.take(Confirmed(1, multiple=False, refused=False))

    assert await sent.ended is None
    assert sent.results == [None] * 3


async def test_one_word_may_be_of_all_before_it(confirms: Confirms) -> None:
    sent = Sent(confirms, 5)

    confirms.take(Confirmed(2, multiple=False, refused=False))
    confirms.take(Confirmed(3, multiple=True, refused=True))
    assert sent.kinds == ["NotConfirmed", "NoneType", "NotConfirmed", "NotConfirmed", "NotConfirmed"]
    assert [str(sent.results[at]) for at in (0, 2)] == ["the broker refused it"] * 2
    assert not sent.ended.done()
    confirms.take(Confirmed(5, multiple=True, refused=False))

    assert await sent.ended is None
    assert sent.kinds == ["NotConfirmed", "NoneType", "NotConfirmed", "NoneType", "NoneType"]


async def test_what_came_back_has_not_arrived_though_it_is_confirmed(confirms: Confirms) -> None:
    sent = Sent(confirms, 2)

    confirms.take(Returned(sent.messages[1].id))
    confirms.take(Returned("unknown"))
    assert not sent.ended.done()
    confirms.take(Confirmed(2, multiple=True, refused=False))

    assert await sent.ended is None
    assert sent.kinds == ["NoneType", "Unroutable"]


async def test_the_next_batch_is_counted_on(confirms: Confirms) -> None:
    Sent(confirms, 2)
    confirms.take(Confirmed(2, multiple=True, refused=False))
    confirms.forget()
    sent = Sent(confirms, 2)

    confirms.take(Confirmed(3, multiple=False, refused=False))

    assert sent.kinds == ["NoneType", "NotConfirmed"]


async def test_a_late_word_changes_nothing_any_more(confirms: Confirms) -> None:
    sent = Sent(confirms, 2)
    confirms.forget()

    confirms.take(Confirmed(2, multiple=True, refused=False))
    confirms.take(Returned(sent.messages[0].id))

    assert sent.kinds == ["NotConfirmed"] * 2
    assert sent.ended.cancelled()


async def test_the_end_of_the_channel_ends_the_batch_and_is_its_reason(confirms: Confirms) -> None:
    sent, reason = Sent(confirms, 2), ConnectionError("the wire is cut")
    closing = asyncio.get_running_loop().create_future()
    closing.set_exception(reason)
    confirms.take(Confirmed(1, multiple=False, refused=False))

    confirms.end(closing)

    assert await sent.ended is reason
    assert sent.kinds == ["NoneType", "NotConfirmed"]


async def test_a_channel_that_ends_without_a_reason_ends_the_batch_as_well(confirms: Confirms) -> None:
    for tell in (asyncio.Future.cancel, lambda closing: closing.set_result(None)):
        sent = Sent(confirms, 1)
        closing = asyncio.get_running_loop().create_future()
        tell(closing)

        confirms.end(closing)

        assert sent.ended.result() is not None


async def test_a_channel_that_ends_between_batches_ends_nothing(confirms: Confirms) -> None:
    sent = Sent(confirms, 1)
    confirms.take(Confirmed(1, multiple=False, refused=False))
    closing = asyncio.get_running_loop().create_future()
    closing.cancel()

    confirms.end(closing)

    assert sent.ended.result() is None
