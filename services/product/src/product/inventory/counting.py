"""What the warehouse may say about how many there are: what it cannot say, and why. Rules only: no I/O, no clock."""

from dataclasses import dataclass
from typing import Final

from chassis.errors import Conflict, Invalid, NotFound

MOST_AT_ONCE: Final = 1_000_000


class InvalidQuantity(Invalid):
    code = "INVALID_QUANTITY"

    def __init__(self, message: str, field: str = "quantity") -> None:
        super().__init__("This quantity cannot be taken.", [{"field": field, "message": message}])


class ProductNotFound(NotFound):
    code = "PRODUCT_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such product, or no such variant of it.")


class VariantRequired(Invalid):
    code = "VARIANT_REQUIRED"

    def __init__(self) -> None:
        super().__init__(
            "The product comes in variants.", [{"field": "variant_id", "message": "This must name one of them."}]
        )


class StockReserved(Conflict):
    code = "STOCK_RESERVED"

    def __init__(self, reserved: int, left: int) -> None:
        message = f"{left} would be left, and {reserved} are held for orders."
        super().__init__(
            "More of it is held for orders than would be left.",
            [{"field": "quantity", "message": message, "reserved": reserved}],
        )


@dataclass(frozen=True, slots=True)
class Count:
    """How many are on the shelf, and how many of those are held."""

    on_hand: int
    reserved: int

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved

    def received(self, quantity: int) -> "Count":
        if not 1 <= quantity <= MOST_AT_ONCE:
            raise InvalidQuantity(f"This must be from 1 to {MOST_AT_ONCE:,}.")
        return Count(self.on_hand + quantity, self.reserved)

    def corrected(self, quantity: int) -> "Count":
        if quantity == 0 or abs(quantity) > MOST_AT_ONCE:
            raise InvalidQuantity(f"This must be from -{MOST_AT_ONCE:,} to {MOST_AT_ONCE:,}, and not 0.")
        left = self.on_hand + quantity
        if left < 0:
            raise InvalidQuantity(f"There are only {self.on_hand}.")
        if left < self.reserved:
            raise StockReserved(self.reserved, left)
        return Count(left, self.reserved)
