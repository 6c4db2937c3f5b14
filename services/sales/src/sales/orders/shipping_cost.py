"""What it costs to send an order, by a table that the merchant chooses."""

from collections.abc import Sequence

from chassis.steps import step
from sales.settings import ShippingSettings

from .stock import PromisedItem

_KILO = 1000


@step("OrderService", "calculateShipping")
def shipping_cost(table: ShippingSettings, items: Sequence[PromisedItem]) -> int:
    subtotal = sum(item.requested * item.unit_price for item in items)
    if table.free_from is not None and subtotal >= table.free_from:
        return 0
    grams = sum(item.requested * (item.weight_grams or 0) for item in items)
    return table.flat + table.per_kilo * -(-grams // _KILO)
