"""What a law is: whose rows it is about, and how those that break it are found among them."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

from chassis.statements import BIGINT, ID, TEXT, with_arrays
from orderflow import fleet

from .books import Books

Row = Mapping[str, Any]
Judge = Callable[[Row, Sequence[Row]], str | None]
Lookup = Callable[[Books, Sequence[Any]], Awaitable[Iterable[Row]]]

_ALL: Final = "true"
_FIRST: Mapping[Any, Any] = {ID: UUID(int=0), TEXT: "", BIGINT: 0}


@dataclass(frozen=True, slots=True)
class Subject:
    """Rows of one table, walked in the order of a key that an index has."""

    service: fleet.Name
    table: str
    key: str = "id"
    kind: Any = ID
    only: str = _ALL

    @property
    def first(self) -> Any:
        """Smaller than every key."""
        return _FIRST[self.kind]

    @property
    def is_whole(self) -> bool:
        return self.only == _ALL

    def __str__(self) -> str:
        return f"{self.service}.{self.table}"


@dataclass(frozen=True, slots=True)
class Broken:
    """By which row, and what stands where."""

    key: Any
    id: str
    stands: str


class Look(Protocol):
    @property
    def services(self) -> Sequence[fleet.Name]: ...

    @property
    def moves(self) -> bool:
        """Whether it sees several moments at once: what changes from look to look is then under way."""

    async def find(self, books: Books, subject: Subject, keys: Sequence[Any] | None) -> list[Broken]: ...


@dataclass(frozen=True, slots=True)
class Law:
    name: str
    says: str
    subject: Subject
    look: Look

    @property
    def services(self) -> list[fleet.Name]:
        return list(dict.fromkeys([self.subject.service, *self.look.services]))


@dataclass(frozen=True, slots=True)
class Within:
    """One service's books: a statement finds who breaks the law among `:ids`; `key`, `stands`, perhaps `id`."""

    statement: str
    services: Sequence[fleet.Name] = ()
    moves: bool = False

    async def find(self, books: Books, subject: Subject, keys: Sequence[Any] | None) -> list[Broken]:
        statement = with_arrays(self.statement, ids=subject.kind)
        asked = None if keys is None else list(keys)
        return [_broken(row, row["stands"]) for row in await books.rows(subject.service, statement, ids=asked)]


class Whole(Within):
    """Where no index leads from a page to what it is compared with: at once. `:ids` is null at the first look."""


@dataclass(frozen=True, slots=True)
class Between:
    """Two services' books: what one has (`key`, `other`, …) and what there is of `other` elsewhere."""

    mine: str
    there: fleet.Name
    theirs: Lookup
    judge: Judge
    moves: bool = True

    @property
    def services(self) -> Sequence[fleet.Name]:
        return [self.there]

    async def find(self, books: Books, subject: Subject, keys: Sequence[Any] | None) -> list[Broken]:
        mine = await books.rows(subject.service, with_arrays(self.mine, ids=subject.kind), ids=list(keys or ()))
        theirs: defaultdict[Any, list[Row]] = defaultdict(list)
        if mine:
            for row in await self.theirs(books, [row["other"] for row in mine]):
                theirs[row["other"]].append(row)
        found = [(row, self.judge(row, theirs.get(row["other"], []))) for row in mine]
        return [_broken(row, wrong) for row, wrong in found if wrong is not None]


def by_ids(service: fleet.Name, statement: str, kind: Any = ID) -> Lookup:
    """Whose `other` is among `:ids`."""

    async def look_up(books: Books, ids: Sequence[Any]) -> Iterable[Row]:
        return await books.rows(service, with_arrays(statement, ids=kind), ids=list(ids))

    return look_up


def _broken(row: Row, stands: str) -> Broken:
    return Broken(row["key"], str(row.get("id") or row["key"]), stands)
