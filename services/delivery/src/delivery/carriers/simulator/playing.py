"""Plays stories over HTTP, as the carrier and, where a parcel has to leave first, as the staff: many at a time."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import quote

from chassis.signature import sign

from .stories import Heard, Leave, Pause, Send, Signed, SplitOff, Story

_AGE: Final = timedelta(hours=1)
_NOBODY_S: Final = "whsec_bm9ib2R5IGhhcyB0aGlzIHNlY3JldA=="
_HEARD: Final = {HTTPStatus.UNAUTHORIZED: Heard.UNVERIFIED, HTTPStatus.CONFLICT: Heard.REFUSED}


class Post(Protocol):
    async def __call__(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
        """The status and the JSON of the answer."""
        ...


class Staff(Protocol):
    async def get(self, path: str) -> Any: ...

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """What is refused is raised."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    story: Story
    send: Send
    heard: str

    @property
    def is_as_expected(self) -> bool:
        return self.heard in self.send.may_be


@dataclass(frozen=True)
class Stage:
    carrier: str
    secret: str
    post: Post
    staff: Staff | None = None
    at_once: int = 16
    """How many requests, however many stories are being told."""


async def play(
    stories: Sequence[Story], stage: Stage, on_end: Callable[[Story], None] = lambda _: None
) -> list[Answer]:
    """Within a story one step follows the other; only copies are sent at once."""
    company = _Company(stage)

    async def tell(story: Story) -> list[Answer]:
        answers = await company.tell(story)
        on_end(story)
        return answers

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(tell(story)) for story in stories]
    except ExceptionGroup as failed:
        # The first has ended the others, and says why.
        raise failed.exceptions[0] from None
    return [answer for task in tasks for answer in task.result()]


async def not_yet_right(stories: Sequence[Story], staff: Staff, at_once: int = 16) -> list[Story]:
    """Those of whose parcels one is not what must become of it."""
    turns = asyncio.Semaphore(at_once)

    async def is_right(shipment_id: str, number: str, status: str) -> bool:
        async with turns:
            parcel = await staff.get(f"/api/v1/shipments/{shipment_id}")
        return bool((parcel["tracking_number"], parcel["status"]) == (number, status))

    async def is_all_right(story: Story) -> bool:
        looks = (is_right(story.shipments[number], number, status) for number, status in story.becomes.items())
        return all(await asyncio.gather(*looks))

    outcomes = await asyncio.gather(*map(is_all_right, stories))
    return [story for story, right in zip(stories, outcomes, strict=True) if not right]


class _Company:
    """The carrier, and the staff of the warehouse."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._turns = asyncio.Semaphore(stage.at_once)

    async def tell(self, story: Story) -> list[Answer]:
        answers: list[Answer] = []
        shipments = [story.parcel.shipment_id]
        if story.parcel.tracking_number is not None:
            story.shipments[story.parcel.tracking_number] = shipments[0]
        for step in story.steps:
            match step:
                case Send():
                    heard = await asyncio.gather(*(self._send(step) for _ in range(step.copies)))
                    answers += [Answer(story, step, each) for each in heard]
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case SplitOff():
                    shipments.append(await self._split(shipments[0]))
                case Leave(which, number):
                    label = {"carrier": self._stage.carrier, "tracking_number": number}
                    await self._as_staff(f"/api/v1/shipments/{shipments[which]}/dispatch", label)
                    story.shipments[number] = shipments[which]
        return answers

    async def _send(self, step: Send) -> str:
        path = f"/api/v1/carrier-webhooks/{quote(self._stage.carrier, safe='')}"
        secret = _NOBODY_S if step.signed == Signed.FORGED else self._stage.secret.split()[0]
        async with self._turns:
            now = datetime.now(UTC)
            headers = sign(secret, step.webhook_id, now - _AGE if step.signed == Signed.LONG_AGO else now, step.body)
            status, content = await self._stage.post(path, step.body, {"content-type": "application/json", **headers})
        if status < HTTPStatus.BAD_REQUEST:
            return str(content["result"])
        return _HEARD.get(HTTPStatus(status), str(status))

    async def _split(self, shipment_id: str) -> str:
        path = f"/api/v1/shipments/{shipment_id}"
        async with self._turns:
            first = (await self._staff.get(path))["items"][0]
        one = {"product_id": first["product_id"], "variant_id": first.get("variant_id"), "quantity": 1}
        return str((await self._as_staff(f"{path}/split", {"items": [one]}))["shipment_id"])

    async def _as_staff(self, path: str, body: Mapping[str, Any]) -> Any:
        async with self._turns:
            return await self._staff.post(path, body)

    @property
    def _staff(self) -> Staff:
        assert self._stage.staff is not None, "parcels that have not left need somebody to dispatch them"
        return self._stage.staff
