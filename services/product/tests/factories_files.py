"""Builds files that are to be imported, imports them, and exports what there is."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chassis.db import Database
from product.catalog.csv_form import COLUMNS, BadLine, escaped, read_lines
from product.catalog.exporting import export_catalogue
from product.catalog.importing import Manner, Summary, import_catalogue

Cells = dict[str, str]

MUG: Cells = {
    "product_id": "mug",
    "name": "Stoneware mug",
    "description": "Holds a lot.",
    "category": "Kitchen > Mugs",
    "price": "14.00",
    "initial_stock": "10",
}
LARGE: Cells = {"product_id": "mug", "sku": "MUG-L", "size": "L", "initial_stock": "4"}


def a_file(*lines: Cells, columns: Sequence[str] = COLUMNS) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: escaped(cell) for name, cell in line.items()} for line in lines)
    return text.getvalue().encode()


@dataclass
class Imported:
    summary: Summary
    bad: list[BadLine] = field(default_factory=list)

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Created, changed, unchanged, refused."""
        return self.summary.created, self.summary.changed, self.summary.unchanged, self.summary.refused

    @property
    def reasons(self) -> list[tuple[int, str, str]]:
        return [(each.number, each.field, each.code) for each in self.bad]


async def imported(database: Database, file: bytes | Sequence[Cells], **manner: Any) -> Imported:
    content = file if isinstance(file, bytes) else a_file(*file)
    bad: list[BadLine] = []
    summary = await import_catalogue(
        database,
        read_lines(io.BytesIO(content)),
        replace(Manner(by="operator:ada", currency="EUR", deepest=3), **manner),
        on_bad=bad.append,
        on_batch=lambda _: None,
    )
    return Imported(summary, bad)


async def exported(database: Database) -> bytes:
    text = io.StringIO(newline="")
    await export_catalogue(database, text)
    return text.getvalue().encode()


def lines_of(file: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.decode(), newline="")))
