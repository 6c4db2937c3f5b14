"""The table of shipments refuses by itself what no rule may ever let through."""

import pytest
from sqlalchemy.exc import IntegrityError

from .factories import Desk
from .factories_parcels import in_parcels

SHIPPED = "carrier = 'FedEx', tracking_number = 'TRK-1', shipped_at = now()"


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("status = 'GONE'", "ck_shipments_status"),
        ("status = 'LOST'", "ck_shipments_shipped"),
        ("status = 'RETURNED', carrier = 'FedEx', tracking_number = 'TRK-1'", "ck_shipments_shipped"),
        (f"status = 'SHIPPED', delivered_at = now(), {SHIPPED}", "ck_shipments_delivered"),
        (f"status = 'LOST', proof = '{{}}', {SHIPPED}", "ck_shipments_proof"),
        ("stop_reason = 'So it is.'", "ck_shipments_stopped"),
        (f"status = 'LOST', dispatching_until = now(), {SHIPPED}", "ck_shipments_dispatching"),
        ("number = 0", "ck_shipments_parcels"),
        ("number = 3", "ck_shipments_parcels"),
        ("parcels = 21", "ck_shipments_parcels"),
        ("number = 1", "uq_shipments_order_id_number"),
    ],
)
async def test_what_must_not_be_cannot_be(desk: Desk, change: str, constraint: str) -> None:
    await in_parcels(desk, 1)

    with pytest.raises(IntegrityError, match=constraint):
        await desk.query(f"UPDATE shipments SET {change} WHERE number = 2")


@pytest.mark.parametrize("status", ["LOST", "RETURNED"])
async def test_what_has_left_may_go_astray(desk: Desk, status: str) -> None:
    await in_parcels(desk, 1)

    await desk.query(f"UPDATE shipments SET status = '{status}', {SHIPPED} WHERE number = 2")

    assert await desk.query("SELECT number FROM shipments WHERE status = :status", status=status) == [{"number": 2}]
