"""A file becomes part of the catalogue: batch by batch, each with a few statements, wholly or as far as it is right."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from sqlalchemy import ARRAY, Text, any_, bindparam, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.errors import Conflict, Refused
from chassis.outbox import write_events
from product.inventory.stocking import open_stocks

from .category_paths import CategoryPaths, paths_of
from .csv_form import BadLine, Line
from .importing_lines import Batch, Outcome, key_of, take_in
from .model import Product, Variant
from .rules import DuplicateProductId, DuplicateSku

BATCH: Final = 500

_FIELDS_OF_VARIANTS: Final = {"price": "variant_price"}

_PRODUCTS = (
    select(Product)
    .where(Product.id == any_(bindparam("ids", type_=ARRAY(Text))))
    .order_by(Product.id)
    .with_for_update(key_share=True)
)
_VARIANTS = select(Variant).where(Variant.sku == any_(bindparam("skus", type_=ARRAY(Text))))
_SOLE = text("SELECT pg_try_advisory_xact_lock(:key)")
_SOLE_KEY: Final = 0x0F20


@dataclass(frozen=True)
class Manner:
    by: str
    currency: str
    """Of products that do not say theirs."""
    deepest: int
    """How many categories may stand one under the other."""
    all_or_nothing: bool = True
    dry_run: bool = False


@dataclass(frozen=True)
class Summary:
    """How many lines came to what; and whether any of it is done, or was only tried."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    is_done: bool = True

    @property
    def lines(self) -> int:
        return self.created + self.changed + self.unchanged + self.refused

    def plus(self, outcome: Outcome | None) -> "Summary":
        name = outcome.value if outcome else "refused"
        return replace(self, **{name: getattr(self, name) + 1})


async def import_catalogue(
    database: Database,
    lines: Iterator[Line | BadLine],
    manner: Manner,
    *,
    on_bad: Callable[[BadLine], None],
    on_batch: Callable[[Summary], None],
) -> Summary:
    """What is to be all or nothing is one transaction; otherwise each batch is one, and what is in it stays."""
    with closing(_Seen()) as seen:
        one = _Import(manner, seen, on_bad)
        if not manner.all_or_nothing and not manner.dry_run:
            while batch := list(islice(lines, BATCH)):
                async with database.begin() as session:
                    await one.take_in(session, batch)
                on_batch(one.summary)
            return one.summary
        try:
            async with database.begin() as session:
                while batch := list(islice(lines, BATCH)):
                    await one.take_in(session, batch)
                    on_batch(one.summary)
                if manner.dry_run or one.summary.refused:
                    raise _Undone
        except _Undone:
            return replace(one.summary, is_done=False)
        return one.summary


class _Undone(Exception):
    pass


class _Import:
    def __init__(self, manner: Manner, seen: "_Seen", on_bad: Callable[[BadLine], None]) -> None:
        self.summary = Summary()
        self._manner = manner
        self._seen = seen
        self._on_bad = on_bad
        self._categories = CategoryPaths(manner.by, manner.deepest)

    async def take_in(self, session: AsyncSession, lines: Sequence[Line | BadLine]) -> None:
        # Two would lock the same products in different orders.
        if not await session.scalar(_SOLE, {"key": _SOLE_KEY}):
            raise Conflict("Another import is running. Begin again when it is done.")
        bad: dict[int, list[BadLine]] = {}
        good = []
        for line in lines:
            if isinstance(line, BadLine):
                bad[line.number] = [line]
            elif problems := self._unreadable(line):
                bad[line.number] = problems
            else:
                good.append(line)
        # Whatever looks something up would otherwise write what there is so far, line by line.
        with session.no_autoflush:
            batch = await self._known(session, good)
            for line in good:
                try:
                    self.summary = self.summary.plus(await take_in(session, batch, line))
                except Refused as refused:
                    bad[line.number] = _problems(line, refused)
        await _write(session, batch)
        self._refuse(bad)

    def _unreadable(self, line: Line) -> list[BadLine]:
        try:
            self._seen.note(*key_of(line), line.number)
        except Refused as refused:
            return _problems(line, refused)
        return []

    async def _known(self, session: AsyncSession, lines: Sequence[Line]) -> Batch:
        ids = {line.cells["product_id"] for line in lines}
        skus = {line.cells["sku"] for line in lines}
        products = (await session.scalars(_PRODUCTS, {"ids": sorted(ids)})).all()
        variants = (await session.scalars(_VARIANTS, {"skus": sorted(skus)})).all()
        return Batch(
            by=self._manner.by,
            currency=self._manner.currency,
            categories=self._categories,
            products={product.id: product for product in products},
            paths=await paths_of(session, {product.category_id for product in products if product.category_id}),
            variants={variant.sku: variant for variant in variants},
        )

    def _refuse(self, bad: Mapping[int, Iterable[BadLine]]) -> None:
        """In the order in which the lines stand in the file."""
        for number in sorted(bad):
            self.summary = self.summary.plus(None)
            for problem in bad[number]:
                self._on_bad(problem)


async def _write(session: AsyncSession, batch: Batch) -> None:
    try:
        for kind in (Product, Variant):
            session.add_all([each for each in batch.new if isinstance(each, kind)])
            await session.flush()
    except IntegrityError as error:
        raise Conflict("Somebody else changed the catalogue at the same moment. Begin again.") from error
    if batch.openings:
        await open_stocks(session, batch.openings, batch.by)
    await write_events(session)
    # What is written need not be remembered: the next batch is about others.
    session.expunge_all()


def _problems(line: Line, refused: Refused) -> list[BadLine]:
    fields = _FIELDS_OF_VARIANTS if line.cells["sku"] else {}
    return [
        BadLine(
            line.number,
            fields.get(name := str(detail.get("field") or ""), name),
            str(detail.get("code") or refused.code),
            str(detail.get("message") or refused.message),
        )
        for detail in refused.details or ({},)
    ]


class _Seen:
    """Which products and variants the file has been about so far: on disk, because there may be any number of them."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE seen (kind, key, line, PRIMARY KEY (kind, key)) WITHOUT ROWID")

    def note(self, kind: str, key: str, line: int) -> None:
        written = self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (kind, key, line))
        if not written.rowcount:
            found = self._database.execute("SELECT line FROM seen WHERE kind = ? AND key = ?", (kind, key))
            refused = DuplicateSku() if kind == "sku" else DuplicateProductId()
            refused.details = ({"field": kind, "message": f"Line {found.fetchone()[0]} is about it already."},)
            raise refused

    def close(self) -> None:
        self._database.close()
