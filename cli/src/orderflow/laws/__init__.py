"""The laws that hold over the books of all services together, at all times, but for what is under way."""

from typing import Final

from .carriers import REPORTED
from .events import EVENTFUL
from .holds import HELD
from .law import Law
from .mails import MAILED_OUT
from .money import MONEY
from .orders import BOOKED
from .people import PEOPLE
from .returns import SENT_BACK
from .shipments import PARCELS
from .stock import STOCK
from .tracking import TRACKING

LAWS: Final[tuple[Law, ...]] = (
    *STOCK,
    *HELD,
    *BOOKED,
    *PARCELS,
    *TRACKING,
    *REPORTED,
    *MONEY,
    *SENT_BACK,
    *EVENTFUL,
    *MAILED_OUT,
    *PEOPLE,
)
