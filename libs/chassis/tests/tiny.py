"""A complete service of one route, one reaction and one job; run as a module it is a process of it."""

import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.auth import Auth, KeyRing, new_keypair
from chassis.broker import Broker, InProcessBroker, RabbitBroker
from chassis.consumer import Received
from chassis.db import Database, Transaction
from chassis.jobs import Job
from chassis.outbox import publish
from chassis.service import Service
from chassis.serving import Site, serve, stop_on_signals
from chassis.settings import Role
from libs.chassis.tests.factories import EFFECTS, Placed, execute, note

NO_OTHERS = Path(__file__).parent / "no_others"

router = APIRouter(prefix="/api/v1/things")


@router.post("/{number}", status_code=201)
async def make_thing(number: int, session: Transaction, seconds: float = 0) -> dict[str, int]:
    await note(session, "asked", number)
    publish(session, Placed(number=number))
    await asyncio.sleep(seconds)
    return {"number": number}


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


class Tiny:
    def __init__(self, database: Database, seconds: float) -> None:
        self.database = database
        self.seconds = seconds
        self.times_closed = 0

    async def follow(self, session: AsyncSession, received: Sequence[Received[Placed]]) -> None:
        for one in received:
            await note(session, "begun", one.event.number)
        say("reacting")
        await asyncio.sleep(self.seconds)
        for one in received:
            await note(session, "placed", one.event.number)

    async def tick(self) -> None:
        await execute(self.database, "INSERT INTO effects VALUES ('ticked', 1)")

    async def close(self) -> None:
        self.times_closed += 1


def build(url: str, broker: Broker, *, role: Role = "all", seconds: float = 0, **others: Any) -> Service:
    database = Database(url, application_name="tiny", pool_size=4)
    tiny = Tiny(database, seconds)
    _, public = new_keypair("people", ["customer"])
    return Service(
        name="tiny",
        database=database,
        broker=broker,
        auth=Auth(KeyRing(json.dumps({"keys": [public]})), audience="tiny"),
        migrations=NO_OTHERS,
        routers=[router],
        reactions={Placed: tiny.follow},
        jobs=[Job("tick", every=timedelta(milliseconds=100), run=tiny.tick)],
        provides=[tiny],
        closes=[tiny],
        role=role,
        **others,
    )


async def main(url: str, port: int, rabbitmq_url: str, seconds: float) -> None:
    stop = stop_on_signals()
    broker: Broker = RabbitBroker(rabbitmq_url) if rabbitmq_url else InProcessBroker()
    service = build(url, broker, seconds=seconds)
    await service.prepare()
    await execute(service.database, EFFECTS)

    async def say_so() -> None:
        say("started")

    await serve([Site(service.app(), "127.0.0.1", port)], stop, say_so)
    await broker.close()
    say("stopped")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])))
