"""How PostgreSQL finds what is asked for among 300,000 mails: each question has its index."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.statements import with_arrays
from contracts.notification.mails import MailState
from notification.mails import writing
from notification.mails.model import OPERATIONS
from notification.mails.reading import Filter, page_of_mails
from notification.mails.storing import claim
from tests.harness.plans import Node, examined, explained, filled
from tests.harness.postgres import PostgresServer

from .factories import PostOffice

COUNT = 300_000
LIMIT = 20
# Of 10,000 customers, three mails each order, oldest first; nearly all are sent. The first 100 have failed, and were of
# a rare kind; every 5,000th waits, and a tenth of those is due.
FILL = f"""
    INSERT INTO mails (id, event_id, message, recipient, about, at, written_at, state, ended_at, last_error, behind,
        next_try_at)
    SELECT
        (lpad(to_hex(ms), 12, '0') || '7000' || '8000' || lpad(to_hex(n), 12, '0'))::uuid, n::text,
        CASE WHEN n < 100 THEN 'capture_failed'
            ELSE (ARRAY['order_received', 'order_shipped', 'order_delivered'])[n % 3 + 1] END,
        'customer-' || n / 3 % 10000, '{{}}', to_timestamp(ms / 1000.0), to_timestamp(ms / 1000.0), state,
        CASE WHEN state <> 'QUEUED' THEN to_timestamp(ms / 1000.0) END, CASE WHEN state = 'FAILED' THEN 'why' END,
        state = 'QUEUED' AND n % 50000 <> 0, to_timestamp(ms / 1000.0)
    FROM (
        SELECT n, floor(extract(epoch FROM now()) * 1000)::bigint - ({COUNT} - n) * 1000::bigint AS ms,
            CASE WHEN n < 100 THEN 'FAILED' WHEN n % 5000 = 0 THEN 'QUEUED' ELSE 'SENT' END AS state
        FROM generate_series(0, {COUNT - 1}) AS n
    ) AS numbered
"""


@pytest.fixture(scope="module")
def large(postgres_server: PostgresServer) -> Iterator[str]:
    with filled(postgres_server, "notification", FILL, "VACUUM ANALYZE mails") as url:
        yield url


def found_by(nodes: list[Node]) -> tuple[set[str], int]:
    """The indexes, and how many mails were looked at."""
    scans = [node for node in nodes if node.get("Relation Name") == "mails" and "Scan" in node["Node Type"]]
    return {node["Index Name"] for node in nodes if "Index Name" in node}, sum(map(examined, scans))


def a_page(**wanted: str | MailState) -> Callable[[AsyncSession], Awaitable[object]]:
    return lambda session: page_of_mails(session, Filter(**wanted), None, LIMIT)  # type: ignore[arg-type]


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
@pytest.mark.parametrize(
    ("page", "index", "most"),
    [
        (a_page(), "pk_mails", LIMIT + 1),
        (a_page(state=MailState.SENT), "pk_mails", LIMIT + 10),
        (a_page(state=MailState.FAILED), "ix_mails_ended_badly", LIMIT + 1),
        (a_page(state=MailState.UNWANTED), "ix_mails_ended_badly", 0),
        (a_page(state=MailState.QUEUED), "ix_mails_in_order", COUNT // 5000),
        (a_page(message="order_shipped"), "pk_mails", 5 * LIMIT),
        (a_page(message="capture_failed"), "ix_mails_rare", LIMIT + 1),
        (a_page(message="back_in_stock"), "ix_mails_rare", 0),
        (a_page(recipient="customer-7"), "ix_mails_recipient_id", 30),
        (a_page(recipient="nobody"), "ix_mails_recipient_id", 0),
    ],
)
async def test_what_the_desk_asks_for_is_found_by_an_index(
    large: str, page: Callable[[AsyncSession], Awaitable[object]], index: str, most: int, *, generic: bool
) -> None:
    indexes, looked_at = found_by(list(await explained(large, page, generic=generic)))

    assert indexes == {index}
    assert looked_at <= most


async def test_what_is_due_is_found_without_looking_at_the_others(large: str) -> None:
    async def look(session: AsyncSession) -> None:
        # In the past nothing was due: it looks, and asks for no more.
        now = datetime.now(UTC) - timedelta(days=365)
        assert await claim(session, lanes=50, in_a_row=20, now=now, until=now) == []

    indexes, looked_at = found_by(list(await explained(large, look)))

    # Whether an older one waits is asked of what is due.
    assert indexes == {"ix_mails_due", "ix_mails_in_order"}
    assert looked_at == 0


@pytest.mark.parametrize("mails", [0, 10])
async def test_a_young_table_is_not_read_from_end_to_end_for_each_letter(office: PostOffice, mails: int) -> None:
    """And would be, by the plan that is kept, when it has grown."""
    await office.query(
        "INSERT INTO mails (id, event_id, message, recipient, about, at)"
        " SELECT gen_random_uuid(), n::text, 'any', n::text, '{}', now() FROM generate_series(1, :mails) AS n",
        mails=mails,
    )
    await office.query("ANALYZE mails")

    explain = with_arrays(f"EXPLAIN {writing._WRITE.text}", **writing._COLUMNS)
    nothing: dict[str, object] = {name: [] for name in writing._COLUMNS}
    async with office.database.begin() as session:
        plan = (await session.execute(explain, {**nothing, "operations": OPERATIONS})).scalars().all()

    assert [line.split("using ")[1].split()[0] for line in plan if " on mails " in line and "Scan" in line] == [
        "ix_mails_in_order"
    ]
