"""What must hold over all databases of a platform once it has come to rest: the laws of `orderflow check`."""

from collections import defaultdict
from datetime import timedelta
from typing import cast

from orderflow import fleet
from orderflow.laws import LAWS
from orderflow.laws.books import Books
from orderflow.laws.inspecting import Inspection

from .platform import Platform, until

# At rest in its books, an event may still be on its way between two of them.
_PATIENCE = timedelta(seconds=10)
_UNSENT = "SELECT count(*) FROM outbox WHERE sent_at IS NULL"
_PARKED = "SELECT count(*) FROM parked_events WHERE resolved_at IS NULL"
_RESTING = {
    "sales": [
        _UNSENT,
        _PARKED,
        "SELECT count(*) FROM attempts WHERE state IN ('open', 'undoing')",
        "SELECT count(*) FROM cancellations WHERE state = 'asked'",
        "SELECT count(*) FROM payment_operations WHERE next_try_at IS NOT NULL",
        "SELECT count(*) FROM orders WHERE status NOT IN ('DELIVERED', 'CANCELLED')",
    ],
    "product": [_UNSENT, _PARKED],
    "delivery": [
        _UNSENT,
        _PARKED,
        "SELECT count(*) FROM shipments WHERE status NOT IN ('DELIVERED', 'STOPPED')",
        "SELECT count(*) FROM carrier_reports WHERE state = 'WAITING'",
    ],
    # Mails to customers of whom nothing was heard may wait on: no law minds those.
    "notification": [_UNSENT, _PARKED],
}


async def at_rest(platform: Platform, within: float = 120) -> None:
    async def resting() -> bool:
        for service, counts in _RESTING.items():
            for count in counts:
                if await platform.value(service, count):
                    return False
        return True

    await until(resting, within, every=0.3)


async def broken(platform: Platform) -> dict[str, object]:
    """The laws that do not hold, by name, with those who break them; empty when all is well."""
    urls = {cast(fleet.Name, service): url for service, url in platform.databases.items()}
    async with Books.opened(urls) as books:
        findings = await Inspection(books, _PATIENCE).run(LAWS)
    found: defaultdict[str, list[str]] = defaultdict(list)
    for each in findings.offences:
        found[each.law.name].append(f"{each.id}: {each.stands}")
    return dict(found)
