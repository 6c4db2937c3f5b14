"""The metadata of Sales' own tables."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from chassis.tables import NAMING


class SalesTable(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
