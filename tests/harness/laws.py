"""What must hold over all databases of a platform once it has come to rest; each law with those who break it."""

from .platform import Platform, until

_RESTING = {
    "sales": [
        "SELECT count(*) FROM outbox WHERE sent_at IS NULL",
        "SELECT count(*) FROM parked_events WHERE resolved_at IS NULL",
        "SELECT count(*) FROM attempts WHERE state IN ('open', 'undoing')",
        "SELECT count(*) FROM orders WHERE status NOT IN ('DELIVERED', 'CANCELLED')",
    ],
    "product": ["SELECT count(*) FROM outbox WHERE sent_at IS NULL"],
    "delivery": [
        "SELECT count(*) FROM outbox WHERE sent_at IS NULL",
        "SELECT count(*) FROM parked_events WHERE resolved_at IS NULL",
        "SELECT count(*) FROM shipments WHERE status NOT IN ('DELIVERED', 'STOPPED')",
    ],
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
    """The laws that do not hold, by name; empty when all is well."""
    orders = {row["id"]: row for row in await platform.query("sales", "SELECT * FROM orders")}
    holds = {row["id"]: row["state"] for row in await platform.query("product", "SELECT id, state FROM reservations")}
    shipments = await platform.query("delivery", "SELECT order_id, status FROM shipments")
    by_reservation = {row["reservation_id"]: row for row in orders.values()}
    history = await platform.query(
        "sales",
        "SELECT order_id, array_agg(to_status ORDER BY id) AS path FROM order_history "
        "WHERE kind = 'changed' GROUP BY order_id",
    )
    found: dict[str, object] = {
        "an order has exactly one shipment": sorted(map(str, set(orders) ^ {row["order_id"] for row in shipments})),
        "a shipment belongs to one order": len(shipments) - len({row["order_id"] for row in shipments}),
        "an order is where its shipment is": [
            str(row["order_id"]) for row in shipments if orders[row["order_id"]]["status"] != row["status"]
        ],
        "an order has a hold that was deducted": [
            str(id) for id, row in by_reservation.items() if holds.get(id) != "DEDUCTED"
        ],
        "a hold without an order is free": [
            str(id) for id, state in holds.items() if id not in by_reservation and state not in ("RELEASED", "REFUSED")
        ],
        "each step was taken once": [
            str(row["order_id"]) for row in history if row["path"] != ["PENDING_SHIPMENT", "SHIPPED", "DELIVERED"]
        ],
        "nothing is oversold": await platform.query(
            "product", "SELECT product_id FROM stock WHERE on_hand < 0 OR reserved < 0 OR reserved > on_hand"
        ),
        "what is reserved is what is held": await platform.query(
            "product",
            "SELECT product_id FROM stock LEFT JOIN (SELECT product_id, sum(quantity) AS held FROM reservation_lines "
            "JOIN reservations r ON r.id = reservation_id AND r.state = 'HELD' GROUP BY product_id) h "
            "USING (product_id) WHERE reserved <> coalesce(held, 0)",
        ),
        **await _events_heard_once(platform),
    }
    return {law: offenders for law, offenders in found.items() if offenders}


async def _events_heard_once(platform: Platform) -> dict[str, object]:
    found: dict[str, object] = {}
    for producer, consumer in (("sales", "delivery"), ("delivery", "sales")):
        said = {
            str(row["event_id"])
            for row in await platform.query(producer, "SELECT event_id FROM outbox WHERE mandatory")
        }
        heard = {row["event_id"] for row in await platform.query(consumer, "SELECT event_id FROM inbox")}
        found[f"what {producer} says, {consumer} hears, and nothing else"] = sorted(said ^ heard)
    for event_type, times in (("order.created", 1), ("order.shipped", 1), ("order.delivered", 1)):
        said_of = await platform.query(
            "sales",
            "SELECT body::jsonb #>> '{data,order_id}' AS order_id FROM outbox WHERE event_type = $1 "
            "GROUP BY 1 HAVING count(*) <> $2",
            event_type,
            times,
        )
        found[f"{event_type} is said once of each order"] = said_of
    return found
