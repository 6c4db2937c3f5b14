"""What is written once more soon after it was written finds room for it beside it."""

from chassis.db import Database
from libs.chassis.tests.factories import column, execute


async def test_events_are_marked_on_the_page_that_they_were_written_on(database: Database) -> None:
    pages = "SELECT split_part(ctid::text, ',', 1) FROM outbox ORDER BY id"
    await execute(
        database,
        "INSERT INTO outbox (event_id, event_type, exchange, mandatory, body)"
        " SELECT gen_random_uuid(), 'test', 'test', true, repeat('x', 500) FROM generate_series(1, 200)",
    )
    before = await column(database, pages)

    await execute(database, "UPDATE outbox SET sent_at = now()")

    assert len(set(before)) > 3
    assert await column(database, pages) == before
