"""Who takes part, in the words of the designs: what each of them is, and who speaks for which service."""

from collections.abc import Mapping
from typing import Final

SPEAKERS: Final[Mapping[str, str]] = {
    "sales": "OrderService",
    "product": "InventoryService",
    "delivery": "DeliveryService",
    "notification": "NotificationService",
}
"""Who it is that acts when a service does something because of an event."""

HOMES: Final[Mapping[str, str]] = {
    "CartService": "sales",
    "CustomerService": "sales",
    "OrderService": "sales",
    "ProductService": "product",
    "CategoryService": "product",
    "InventoryService": "product",
    "DeliveryService": "delivery",
    "NotificationService": "notification",
}
"""In which service they live: between two of them a call goes over HTTP."""

SOMEBODY: Final = "Caller"
"""Whoever it is that is not of ours and made the first call; a design knows the name."""

ROLES: Final[Mapping[str, str]] = {
    "Admin": "runs the shop: catalogue, prices, payments",
    "AuditLog": "who changed what; a table in each service's database",
    "CarrierWebhook": "a carrier that reports of its parcels",
    "CartAggregate": "a cart and what is in it",
    "CartService": "carts of customers and guests (Sales)",
    "CategoryAggregate": "a category in its tree",
    "CategoryService": "the tree of categories (Product)",
    "Customer": "buys",
    "CustomerAggregate": "an account",
    "CustomerService": "accounts, log-in, addresses (Sales)",
    "DeliveryService": "parcels and carriers (Delivery)",
    "EmailService": "any SMTP server",
    "EventBus": "RabbitMQ, or the broker inside the process",
    "InventoryAggregate": "the stock of a product or variant",
    "InventoryService": "stock and reservations (Product)",
    "Logger": "the service's log",
    "NotificationService": "mail (Notification)",
    "OrderAggregate": "an order; its parcels at Delivery",
    "OrderService": "orders (Sales); their shipping is Delivery's",
    "PaymentService": "the payment gateway, behind Sales' journal of it",
    "ProductAggregate": "a product, its variants and prices",
    "ProductService": "the catalogue (Product)",
    "Scheduler": "runs jobs by the clock, one replica at a time",
    "ShipmentAggregate": "a parcel",
    "WarehouseStaff": "packs, dispatches, takes goods in",
}
