"""A category in the tree, what its name is known by, and what it is refused for. Rules only: no I/O, no clock."""

import unicodedata
from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column, validates

from chassis.errors import Conflict, Invalid, NotFound
from product.db import ProductTable


def key_of(name: str) -> str:
    """By this a name is compared and sorted: letters of either case are the same, spaces count once.

    Not left to the database: what `lower` does to letters beyond ASCII depends on how it was set up.
    """
    return unicodedata.normalize("NFC", " ".join(name.split()).casefold())


class Category(ProductTable):
    __tablename__ = "categories"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("categories.id"), index=True)
    depth: Mapped[int]
    """1 at the top."""
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=text("now()"))

    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        CheckConstraint("(depth = 1) = (parent_id IS NULL) AND depth > 0", name="depth"),
    )

    @validates("name")
    def _known_by(self, _: str, name: str) -> str:
        self.name_key = key_of(name)
        return name


class CategoryNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such category.")


class DuplicateCategoryName(Conflict):
    code = "DUPLICATE_CATEGORY_NAME"

    def __init__(self) -> None:
        super().__init__(
            "Another category has this name.", [{"field": "name", "message": "This is the name of another category."}]
        )


class ParentCategoryNotFound(Invalid):
    code = "PARENT_CATEGORY_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__(
            "There is no category that this one could stand under.",
            [{"field": "parent_id", "message": "This is not the id of a category."}],
        )


class CategoryDepthExceeded(Invalid):
    code = "CATEGORY_DEPTH_EXCEEDED"

    def __init__(self, deepest: int) -> None:
        super().__init__(
            f"Categories stand at most {deepest} deep.",
            [{"field": "parent_id", "message": "Nothing can stand under this category.", "limit": deepest}],
        )


class InvalidCategory(Invalid):
    code = "INVALID_CATEGORY"

    def __init__(self) -> None:
        super().__init__(
            "There is no such category.", [{"field": "category_id", "message": "This is not the id of a category."}]
        )
