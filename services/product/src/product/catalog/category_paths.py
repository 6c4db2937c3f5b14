"""Categories as they are written in a file: from the top down, "Kitchen > Coffee"; those that are missing are made."""

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import Conflict, Invalid, Refused
from chassis.explain import explain
from chassis.statements import ID, with_arrays
from contracts.product.catalog import CreateCategory
from product.categories.commands import create_category
from product.categories.model import Category, CategoryDepthExceeded, DuplicateCategoryName, InvalidCategory, key_of

_REMEMBERED: Final = 10_000

_UPWARDS = with_arrays(
    """
    WITH RECURSIVE upwards AS (
        SELECT id AS leaf, id, parent_id, name, depth FROM categories WHERE id = ANY(:ids)
        UNION ALL
        SELECT leaf, categories.id, categories.parent_id, categories.name, categories.depth
        FROM upwards JOIN categories ON categories.id = upwards.parent_id
    )
    SELECT leaf, array_agg(name ORDER BY depth) AS names FROM upwards GROUP BY leaf
    """,
    ids=ID,
)


class StandsElsewhere(Conflict):
    code = DuplicateCategoryName.code


async def paths_of(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, str]:
    rows = await session.execute(_UPWARDS, {"ids": list(ids)})
    return {row.leaf: write_path(row.names) for row in rows}


def write_path(names: Sequence[str]) -> str:
    return " > ".join(name.replace("\\", "\\\\").replace(">", "\\>") for name in names)


def read_path(path: str) -> list[str]:
    names, letters = [""], iter(path)
    for letter in letters:
        if letter == ">":
            names.append("")
        else:
            names[-1] += next(letters, letter) if letter == "\\" else letter
    return [name.strip() for name in names]


class CategoryPaths:
    """Finds the category that a path leads to. `deepest` is how many may stand one under the other."""

    def __init__(self, by: str, deepest: int) -> None:
        self._by = by
        self._deepest = deepest
        self._known: dict[str, UUID] = {}

    async def find(self, session: AsyncSession, path: str) -> UUID:
        if path not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            try:
                self._known[path] = await self._walk(session, self._names(path))
            except Refused as refused:
                refused.details = ({"field": "category", "message": refused.message},)
                raise
        return self._known[path]

    def _names(self, path: str) -> Sequence[CreateCategory]:
        if not path.strip():
            raise InvalidCategory
        try:
            names = [CreateCategory(name=name) for name in read_path(path)]
        except ValidationError as error:
            raise Invalid(explain(error.errors())[0]["message"]) from None
        if len(names) > self._deepest:
            raise CategoryDepthExceeded(self._deepest)
        return names

    async def _walk(self, session: AsyncSession, path: Sequence[CreateCategory]) -> UUID:
        """All that can be refused is refused before the first of them is made."""
        keys = [key_of(each.name) for each in path]
        known = await session.scalars(select(Category).where(Category.name_key.in_(keys)))
        there = {category.name_key: category for category in known}
        above: UUID | None = None
        for at, (key, each) in enumerate(zip(keys, path, strict=True)):
            found = there.get(key)
            if key in keys[:at] or (found and (found.parent_id != above or not set(keys[:at]) <= there.keys())):
                raise StandsElsewhere(f"There is a category {each.name!r} already, and it stands elsewhere.")
            above = found.id if found else None
        above = None
        for key, each in zip(keys, path, strict=True):
            above = there[key].id if key in there else await self._create(session, each.name, above)
        assert above is not None
        return above

    async def _create(self, session: AsyncSession, name: str, above: UUID | None) -> UUID:
        wanted = CreateCategory(name=name, parent_id=above)
        return (await create_category(session, wanted, by=self._by, deepest=self._deepest)).category_id
