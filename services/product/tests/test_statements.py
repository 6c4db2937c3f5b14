"""What holding and ending reservations costs in statements: as many for a batch as for one."""

import pytest

from chassis.db import Database
from product.inventory.commands import reserve
from product.inventory.settlement import deduct, release
from services.product.tests.factories import put_on_sale, reservation
from services.product.tests.rivals import End, alone
from tests.harness.statements import whole_statements_on


@pytest.mark.parametrize("count", [1, 64])
async def test_to_hold_takes_one_look_and_one_write(database: Database, count: int) -> None:
    await put_on_sale(database, "mug", 1000)
    await put_on_sale(database, "kettle", 1000)
    wanted = [reservation(("mug", 1), ("kettle", 2)) for _ in range(count)]

    with whole_statements_on(database) as heard:
        await alone(database, reserve, wanted)

    look, write, tell = heard
    assert look.startswith("WITH offered AS")
    assert write.startswith("WITH inserted AS")
    assert tell.startswith("INSERT INTO outbox")


async def test_what_is_known_is_answered_after_one_look(database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    wanted = [reservation(("mug", 1)) for _ in range(3)]
    held = await alone(database, reserve, wanted)

    with whole_statements_on(database) as heard:
        assert await alone(database, reserve, wanted) == held

    assert len(heard) == 1


@pytest.mark.parametrize("count", [1, 64])
@pytest.mark.parametrize("end", [release, deduct])
async def test_to_end_takes_two_looks_and_one_write(database: Database, end: End, count: int) -> None:
    await put_on_sale(database, "mug", 1000)
    await put_on_sale(database, "kettle", 1000)
    wanted = [reservation(("mug", 1), ("kettle", 2)) for _ in range(count)]
    await alone(database, reserve, wanted)

    with whole_statements_on(database) as heard:
        await alone(database, end, [each.reservation_id for each in wanted])

    reservations, stock, write, tell = heard
    assert reservations.startswith("WITH locked AS (SELECT id, state FROM reservations")
    assert stock.endswith("FOR UPDATE OF stock")
    assert write.startswith("WITH settled AS")
    assert tell.startswith("INSERT INTO outbox")
