"""The metadata of Product's own tables, and the form of its set-based statements."""

from typing import Any

from sqlalchemy import MetaData, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql.elements import TextClause

from chassis.tables import NAMING


class ProductTable(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


def with_arrays(statement: str, **columns: Any) -> TextClause:
    """A statement for any number of rows whose text is always the same, so that it is prepared once."""
    return text(statement).bindparams(*(bindparam(name, type_=ARRAY(kind)) for name, kind in columns.items()))
