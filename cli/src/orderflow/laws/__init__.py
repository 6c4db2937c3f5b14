"""The laws that hold over the books of all services together, at all times, but for what is under way."""

from typing import Final

from .events import EVENTFUL
from .holds import HELD
from .law import Law
from .money import MONEY
from .orders import BOOKED
from .people import PEOPLE
from .shipments import PARCELS
from .stock import STOCK

LAWS: Final[tuple[Law, ...]] = (*STOCK, *HELD, *BOOKED, *PARCELS, *MONEY, *EVENTFUL, *PEOPLE)
