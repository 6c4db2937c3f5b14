"""The metadata of Notification's own tables."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from chassis.tables import NAMING


class NotificationTable(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
