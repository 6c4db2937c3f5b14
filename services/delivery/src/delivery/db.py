"""The metadata of Delivery's own tables."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from chassis.tables import NAMING


class DeliveryTable(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
