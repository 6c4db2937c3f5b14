"""The tables of the usual way, as ORM classes: a metadata per service."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column, relationship

from chassis.ids import uuid7

_TYPES = {datetime: TIMESTAMP(timezone=True), dict[str, Any]: JSONB, list[Any]: JSONB}


def now() -> datetime:
    return datetime.now(UTC)


class OutboxColumns:
    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    event_id: Mapped[UUID]
    event_type: Mapped[str]
    exchange: Mapped[str]
    mandatory: Mapped[bool]
    body: Mapped[str]
    traceparent: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    sent_at: Mapped[datetime | None]

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Index, ...]:
        return (Index("ix_outbox_waiting", "id", postgresql_where=text("sent_at IS NULL")),)


class InboxColumns:
    __tablename__ = "inbox"
    event_id: Mapped[str] = mapped_column(primary_key=True)
    event_type: Mapped[str]
    handled_at: Mapped[datetime] = mapped_column(default=now)


class SalesTable(DeclarativeBase):
    type_annotation_map = _TYPES


class SalesOutbox(OutboxColumns, SalesTable):
    pass


class SalesInbox(InboxColumns, SalesTable):
    pass


class Attempt(SalesTable):
    __tablename__ = "attempts"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    customer_id: Mapped[str]
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(default="open")
    lease_until: Mapped[datetime]
    order_id: Mapped[UUID | None]
    answer_status: Mapped[int | None]
    answer: Mapped[str | None]


class Order(SalesTable):
    __tablename__ = "orders"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    customer_id: Mapped[str]
    status: Mapped[str] = mapped_column(default="PENDING_SHIPMENT")
    reservation_id: Mapped[UUID]
    subtotal: Mapped[int] = mapped_column(BigInteger)
    shipping_cost: Mapped[int] = mapped_column(BigInteger, default=0)
    total: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(default="EUR")
    shipping_address: Mapped[dict[str, Any]]
    note: Mapped[str | None]
    tracking_number: Mapped[str | None]
    carrier: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    shipped_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    delivery_location: Mapped[str | None]
    items: Mapped[list["OrderItem"]] = relationship(order_by="OrderItem.line")
    history: Mapped[list["OrderChange"]] = relationship(order_by="OrderChange.id", lazy="raise")
    __table_args__ = (Index("ix_orders_customer_id_id", "customer_id", "id"),)


class OrderItem(SalesTable):
    __tablename__ = "order_items"
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[str]
    name: Mapped[str]
    quantity: Mapped[int]
    unit_price: Mapped[int] = mapped_column(BigInteger)


class OrderChange(SalesTable):
    __tablename__ = "order_history"
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    at: Mapped[datetime] = mapped_column(default=now)
    kind: Mapped[str] = mapped_column(default="changed")
    from_status: Mapped[str | None]
    to_status: Mapped[str]
    actor: Mapped[str]
    event_id: Mapped[str | None]


class ProductTable(DeclarativeBase):
    type_annotation_map = _TYPES


class ProductOutbox(OutboxColumns, ProductTable):
    pass


class Product(ProductTable):
    __tablename__ = "products"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    price: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]


class Stock(ProductTable):
    __tablename__ = "stock"
    product_id: Mapped[str] = mapped_column(ForeignKey("products.id"), primary_key=True)
    on_hand: Mapped[int] = mapped_column(BigInteger)
    reserved: Mapped[int] = mapped_column(BigInteger, server_default="0", default=0)
    product: Mapped[Product] = relationship(lazy="raise")
    __table_args__ = (CheckConstraint("0 <= reserved AND reserved <= on_hand"),)


class Reservation(ProductTable):
    __tablename__ = "reservations"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[str]
    answer: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)
    settled_at: Mapped[datetime | None]
    lines: Mapped[list["ReservationLine"]] = relationship(order_by="ReservationLine.line", lazy="selectin")


class ReservationLine(ProductTable):
    __tablename__ = "reservation_lines"
    reservation_id: Mapped[UUID] = mapped_column(ForeignKey("reservations.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[str]
    quantity: Mapped[int]


class Movement(ProductTable):
    __tablename__ = "stock_movements"
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    product_id: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=now)
    kind: Mapped[str]
    on_hand_change: Mapped[int] = mapped_column(BigInteger)
    reserved_change: Mapped[int] = mapped_column(BigInteger)
    cause: Mapped[UUID]
    actor: Mapped[str]


class DeliveryTable(DeclarativeBase):
    type_annotation_map = _TYPES


class DeliveryOutbox(OutboxColumns, DeliveryTable):
    pass


class DeliveryInbox(InboxColumns, DeliveryTable):
    pass


class Shipment(DeliveryTable):
    __tablename__ = "shipments"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    order_id: Mapped[UUID] = mapped_column(unique=True)
    reservation_id: Mapped[UUID]
    status: Mapped[str] = mapped_column(default="READY")
    items: Mapped[list[Any]]
    shipping_address: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)
    carrier: Mapped[str | None]
    tracking_number: Mapped[str | None]
    shipped_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    delivery_location: Mapped[str | None]
    __table_args__ = (Index("ix_shipments_status_id", "status", "id"),)


class NotificationTable(DeclarativeBase):
    type_annotation_map = _TYPES


class NotificationInbox(InboxColumns, NotificationTable):
    pass


class Mail(NotificationTable):
    __tablename__ = "mails"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    event_id: Mapped[str] = mapped_column(unique=True)
    message: Mapped[str]
    recipient: Mapped[str]
    about: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default="QUEUED")


METADATA = {
    "sales": SalesTable.metadata,
    "product": ProductTable.metadata,
    "delivery": DeliveryTable.metadata,
    "notification": NotificationTable.metadata,
}
