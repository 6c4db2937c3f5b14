"""An address that a parcel can go to."""

from typing import Annotated

from pydantic import StringConstraints

from contracts.text import Body, Line, ShortLine


class ShippingAddress(Body):
    name: Line
    line1: Line
    line2: Line | None = None
    city: Line
    state: Line | None = None
    postal_code: ShortLine
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
