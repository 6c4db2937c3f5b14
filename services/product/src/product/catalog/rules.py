"""What a product and a variant must be like, and what they are refused for: rules only, no I/O."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from chassis.errors import Conflict, Invalid
from contracts.product.catalog import is_one_line
from contracts.text import MAX_MINOR_UNITS
from product.inventory.counting import MOST_AT_ONCE, InvalidQuantity

SHORTEST_NAME: Final = 2
LONGEST_NAME: Final = 200
LONGEST_DESCRIPTION: Final = 5000
CHEAPEST: Final = Decimal("0.01")
DEAREST: Final = Decimal(MAX_MINOR_UNITS) / 100
_DECIMAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_CENTS: Final = re.compile(r"[0-9]+(\.[0-9]{1,2})?")


class _Wrong(Invalid):
    """Something that is wrong by itself: its detail can stand among those of others."""

    field = ""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, [{"field": self.field, "code": self.code, "message": reason}])


class InvalidPrice(_Wrong):
    code = "INVALID_PRICE"
    field = "price"


class InvalidProductName(_Wrong):
    code = "INVALID_PRODUCT_NAME"
    field = "name"


class DescriptionTooLong(_Wrong):
    code = "DESCRIPTION_TOO_LONG"
    field = "description"


class VariantAttributeRequired(Invalid):
    code = "VARIANT_ATTRIBUTE_REQUIRED"

    def __init__(self) -> None:
        reason = "A variant needs a size or a color."
        super().__init__(reason, [{"field": field, "message": reason} for field in ("size", "color")])


class DuplicateProductId(Conflict):
    code = "DUPLICATE_PRODUCT_ID"

    def __init__(self) -> None:
        super().__init__(
            "Another product has this id.", [{"field": "product_id", "message": "This is the id of another product."}]
        )


class DuplicateSku(Conflict):
    code = "DUPLICATE_SKU"

    def __init__(self) -> None:
        super().__init__(
            "Another variant has this SKU.", [{"field": "sku", "message": "This is the SKU of another variant."}]
        )


def refuse(found: Iterable[Invalid | None]) -> None:
    """With the code of what was found first, and the details of all that was found."""
    wrong = [each for each in found if each is not None]
    if wrong:
        first = wrong[0]
        first.details = tuple({"code": each.code, **detail} for each in wrong for detail in each.details)
        raise first


def wrong_name(name: str | None) -> Invalid | None:
    if name is None:
        return None
    if not SHORTEST_NAME <= len(name) <= LONGEST_NAME:
        return InvalidProductName(f"A name has {SHORTEST_NAME} to {LONGEST_NAME} characters.")
    return None if is_one_line(name) else InvalidProductName("A name is one line of text.")


def wrong_description(description: str | None) -> Invalid | None:
    if description is None or len(description) <= LONGEST_DESCRIPTION:
        return None
    return DescriptionTooLong(f"A description has at most {LONGEST_DESCRIPTION:,} characters.")


def wrong_price(price: str | None) -> Invalid | None:
    if price is None:
        return None
    if not _DECIMAL.fullmatch(price):
        return InvalidPrice('A price is a decimal string such as "19.99".')
    if Decimal(price) < CHEAPEST:
        return InvalidPrice(f"A price is at least {CHEAPEST}.")
    if Decimal(price) > DEAREST:
        return InvalidPrice(f"A price is at most {DEAREST:,}.")
    return None if _CENTS.fullmatch(price) else InvalidPrice("A price has at most two decimals.")


def wrong_initial_stock(quantity: int) -> Invalid | None:
    if 0 <= quantity <= MOST_AT_ONCE:
        return None
    return InvalidQuantity(f"This must be from 0 to {MOST_AT_ONCE:,}.", field="initial_stock")


def in_minor_units(price: str) -> int:
    """Of a price that nothing is wrong with."""
    return int(Decimal(price) * 100)
