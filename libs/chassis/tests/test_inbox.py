"""An event is claimed by one replica, and many events by several without anyone standing in another's way."""

import asyncio
from collections.abc import Mapping

from chassis.db import Database
from chassis.inbox import claim


async def claim_in(database: Database, types: Mapping[str, str]) -> set[str]:
    async with database.begin() as session:
        return await claim(session, types)


async def test_what_was_claimed_is_not_claimed_again(database: Database) -> None:
    assert await claim_in(database, {"1": "t", "2": "t"}) == {"1", "2"}
    assert await claim_in(database, {"2": "t", "3": "t"}) == {"3"}
    assert await claim_in(database, {}) == set()


async def test_replicas_that_claim_the_same_in_another_order_do_not_lock_each_other_out(
    database: Database, replica: Database
) -> None:
    for round in range(5):
        ids = [f"{round}-{number:05}" for number in range(10_000)]

        here, there = await asyncio.gather(
            claim_in(database, dict.fromkeys(ids, "t")), claim_in(replica, dict.fromkeys(reversed(ids), "t"))
        )

        assert here | there == set(ids)
        assert not here & there
