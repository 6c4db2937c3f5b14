"""Laws of what carriers report: it is worked on, and what was accepted has become of the parcel."""

from typing import Final

from .law import Law, Subject, Within

DUE: Final = Subject("delivery", "carrier_reports", only="next_try_at IS NOT NULL")
APPLIED: Final = Subject("delivery", "carrier_reports", only="state = 'APPLIED'")

_DUE: Final = """
    SELECT id AS key, format('%s of %s is %s, to be tried again at %s', kind, concat_ws(' ', carrier, tracking_number),
        state, next_try_at) AS stands
    FROM carrier_reports WHERE id = ANY(:ids) AND next_try_at < now()
"""
# What was lost or came back may have arrived since, or left again.
_APPLIED: Final = """
    SELECT report.id AS key, format('%s was accepted for %s, which is %s', kind, coalesce(shipment_id::text, 'nothing'),
        coalesce(status, 'nowhere')) AS stands
    FROM carrier_reports AS report LEFT JOIN shipments ON shipments.id = shipment_id
    WHERE report.id = ANY(:ids) AND state = 'APPLIED' AND CASE kind
        WHEN 'DELIVERED' THEN status IS DISTINCT FROM 'DELIVERED'
        ELSE coalesce(status, 'STOPPED') IN ('ON_HOLD', 'STOPPED')
    END
"""

REPORTED: Final = (
    Law("reports.worked", "What a carrier reports is worked on", DUE, Within(_DUE)),
    Law("reports.applied", "What a carrier has reported has become of the parcel", APPLIED, Within(_APPLIED)),
)
