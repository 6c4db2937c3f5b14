"""What is in a parcel, and what of it goes into another one. Rules only: no I/O, no framework."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from chassis.errors import Invalid
from contracts.delivery.shipments import PackedItem

Lines = Sequence[Mapping[str, Any]]
"""As they are stored: `product_id`, `quantity`, and `variant_id` where there is one."""
_Article = tuple[str, str | None]


class InvalidSplit(Invalid):
    code = "INVALID_SPLIT"

    def __init__(self, message: str, short: Sequence[tuple[int, PackedItem, int]]) -> None:
        super().__init__(message, [_explained(number, item, has) for number, item, has in short])


def pieces(lines: Lines) -> int:
    return sum(line["quantity"] for line in lines)


def take_out(lines: Lines, wanted: Sequence[PackedItem]) -> tuple[Lines, Lines]:
    """What is taken, and what stays. Together they are what was there; of neither there is nothing."""
    has = Counter[_Article]()
    for line in lines:
        has[_article(line)] += line["quantity"]
    asked = Counter[_Article]()
    for item in wanted:
        asked[_named(item)] += item.quantity
    numbered = [(number, item, has[_named(item)]) for number, item in enumerate(wanted)]
    if short := [each for each in numbered if asked[_named(each[1])] > each[2]]:
        raise InvalidSplit("There is less than that in the parcel.", short)
    if asked == has:
        raise InvalidSplit("Something has to stay in the parcel.", numbered)
    return _apart(lines, asked)


def _apart(lines: Lines, asked: Counter[_Article]) -> tuple[Lines, Lines]:
    taken, stays = [], []
    for line in lines:
        quantity = min(line["quantity"], asked[_article(line)])
        asked[_article(line)] -= quantity
        if quantity:
            taken.append({**line, "quantity": quantity})
        if quantity < line["quantity"]:
            stays.append({**line, "quantity": line["quantity"] - quantity})
    return taken, stays


def _article(line: Mapping[str, Any]) -> _Article:
    return line["product_id"], line.get("variant_id")


def _named(item: PackedItem) -> _Article:
    return item.product_id, None if item.variant_id is None else str(item.variant_id)


def _explained(number: int, item: PackedItem, has: int) -> dict[str, Any]:
    product_id, variant_id = _named(item)
    named = {"product_id": product_id, "variant_id": variant_id}
    return {"field": f"items.{number}.quantity", "message": f"The parcel has {has} of it.", **named, "available": has}
