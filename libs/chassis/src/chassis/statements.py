"""Set-based statements: with arrays as parameters their text is constant, and prepared once for any number of rows."""

from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, BOOLEAN, BYTEA, INTEGER, TEXT, TIMESTAMP, UUID
from sqlalchemy.sql.elements import TextClause

__all__ = ["BIGINT", "BOOLEAN", "BYTEA", "ID", "INSTANT", "INTEGER", "TEXT", "with_arrays"]

ID = UUID
INSTANT = TIMESTAMP(timezone=True)


def with_arrays(statement: str, **columns: Any) -> TextClause:
    """Names each parameter that is an array, with the type of its elements."""
    return text(statement).bindparams(*(bindparam(name, type_=ARRAY(kind)) for name, kind in columns.items()))
