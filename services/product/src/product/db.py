"""The metadata of Product's own tables."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from chassis.tables import NAMING


class ProductTable(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
