"""Laws of tracking: customers are shown of each parcel what Delivery last told of it."""

from collections.abc import Sequence
from typing import Final

from .law import Between, Law, Row, Subject, by_ids

# Of the others their orders tell.
TOLD_OF: Final = Subject("delivery", "shipments", only="(parcels > 1 OR version > 1)")
SHOWN: Final = Subject("sales", "order_parcels", "order_id")

_CONTENTS: Final = """
    (SELECT string_agg(concat(item ->> 'quantity', ' x ', item ->> 'product_id', '/' || (item ->> 'variant_id')), ', '
        ORDER BY item ->> 'product_id' COLLATE "C", item ->> 'variant_id')
    FROM jsonb_array_elements(items) AS item)
"""
# What is being prepared may have a label already that it will not leave under, and nobody tells of a stop.
_TOLD: Final = f"""
    SELECT id AS key, order_id AS other, id AS shipment_id, number, version,
        CASE WHEN status IN ('ON_HOLD', 'READY', 'STOPPED') THEN 'PREPARING' ELSE status END AS status,
        CASE WHEN status NOT IN ('ON_HOLD', 'READY', 'STOPPED') THEN concat_ws(' ', carrier, tracking_number) END
            AS label,
        delivered_at, {_CONTENTS} AS items
    FROM shipments WHERE id = ANY(:ids)
"""
_KNOWN: Final = by_ids(
    "sales",
    f"""
    SELECT order_id AS other, shipment_id, number, version, status,
        CASE WHEN status <> 'PREPARING' THEN concat_ws(' ', carrier, tracking_number) END AS label,
        delivered_at, {_CONTENTS} AS items
    FROM order_parcels WHERE order_id = ANY(:ids)
    """,
)
_SHOWN: Final = """
    SELECT order_id AS key, order_id AS other, concat(order_id, '/', number) AS id, number, shipment_id
    FROM order_parcels WHERE order_id = ANY(:ids)
"""
_PARCELS: Final = by_ids(
    "delivery", "SELECT order_id AS other, number, id AS shipment_id FROM shipments WHERE order_id = ANY(:ids)"
)


def _is_known(parcel: Row, known: Sequence[Row]) -> str | None:
    wanted = _summary(parcel)
    there = next((_summary(each) for each in known if each["number"] == parcel["number"]), "nothing of it")
    return None if there == wanted else f"it is {wanted}; Sales has {there}"


def _summary(parcel: Row) -> str:
    facts = parcel["status"], parcel["label"], parcel["delivered_at"] and f"at {parcel['delivered_at']}"
    state = " ".join(fact for fact in facts if fact)
    return f"parcel {parcel['number']} ({parcel['shipment_id']}, {parcel['version']}) {state}: {parcel['items']}"


def _is_there(shown: Row, parcels: Sequence[Row]) -> str | None:
    if (shown["number"], shown["shipment_id"]) in {(each["number"], each["shipment_id"]) for each in parcels}:
        return None
    return f"it is shown as {shown['shipment_id']}, which Delivery does not have"


TRACKING: Final = (
    Law(
        "tracking.told",
        "Of a parcel that Delivery has told of Sales knows how it stands",
        TOLD_OF,
        Between(_TOLD, "sales", _KNOWN, _is_known),
    ),
    Law(
        "tracking.shown",
        "A parcel that customers are shown is there",
        SHOWN,
        Between(_SHOWN, "delivery", _PARCELS, _is_there),
    ),
)
