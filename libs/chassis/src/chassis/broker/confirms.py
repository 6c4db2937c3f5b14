"""What is under way on one channel, and what the broker says of it; who sends it is the outlet's."""

import asyncio
from collections.abc import Mapping
from itertools import takewhile

from .arrival import Arrival, Confirmed, Returned
from .protocol import Message, NotConfirmed, Unroutable

Result = Exception | None


class Confirms:
    """The broker counts from 1 what is published on a channel, and confirms by that number; it returns by the id."""

    def __init__(self) -> None:
        self._published = 0
        self._open: dict[int, int] = {}
        self._messages: Mapping[int, Message] = {}
        self._results: list[Result] = []
        self._ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    def expect(self, messages: Mapping[int, Message], results: list[Result]) -> "asyncio.Future[BaseException | None]":
        """Writes results at the messages' positions; done when all have one, or with the channel's end before that."""
        self._messages, self._results = messages, results
        self._open = dict(enumerate(messages, self._published + 1))
        self._published += len(messages)
        self._ended = asyncio.get_running_loop().create_future()
        return self._ended

    def forget(self) -> None:
        """What is still said of the batch concerns nobody any more."""
        self._open, self._messages, self._results = {}, {}, []
        self._ended.cancel()

    def take(self, arrival: Arrival) -> None:
        if isinstance(arrival, Confirmed):
            self._confirm(arrival)
        elif isinstance(arrival, Returned):
            self._give_back(arrival.message_id)

    def end(self, closing: "asyncio.Future[object]") -> None:
        """The channel has ended, and nothing more will be said on it."""
        if not self._ended.done():
            reason = None if closing.cancelled() else closing.exception()
            self._ended.set_result(reason or asyncio.CancelledError())

    def _confirm(self, confirmed: Confirmed) -> None:
        last = confirmed.tag
        numbers = list(takewhile(lambda each: each <= last, self._open)) if confirmed.multiple else [last]
        for number in numbers:
            position = self._open.pop(number, None)
            # What was returned is confirmed as well, as the broker has done with it what it could.
            if position is not None and not isinstance(self._results[position], Unroutable):
                self._results[position] = NotConfirmed("the broker refused it") if confirmed.refused else None
        if not self._open and not self._ended.done():
            self._ended.set_result(None)

    def _give_back(self, message_id: str) -> None:
        for position, message in self._messages.items():
            if message.id == message_id:
                self._results[position] = Unroutable(f"no queue takes {message.routing_key}")
