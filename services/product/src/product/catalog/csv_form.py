"""The catalogue as a file: its columns, what a cell says, and its lines, read one by one; what they mean is not here.

A file is never in memory as a whole, and whatever it holds instead of a catalogue is said with the line it stands in.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from chassis.errors import Invalid
from contracts.text import to_decimal_string

from .model import Product, Variant

COLUMNS: Final = (
    *("product_id", "name", "description", "category", "price", "currency", "weight_grams", "active"),
    *("sku", "size", "color", "variant_price", "initial_stock"),
)
_LONGEST_LINE: Final = 256 * 1024
# A spreadsheet would take what begins so for a formula. An apostrophe more keeps it from that, and is taken away again.
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")


@dataclass(frozen=True)
class Line:
    number: int
    """Where it begins: a cell may hold line breaks."""
    cells: Mapping[str, str]
    """Of all columns; of those that the file does not have they are empty."""


@dataclass(frozen=True)
class BadLine:
    number: int
    field: str
    code: str
    message: str


class WrongFile(Invalid):
    """It is no catalogue from its first line on."""


def escaped(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unescaped(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def cells_of_product(product: Product, category: str) -> dict[str, str]:
    return {
        "product_id": product.id,
        "name": product.name,
        "description": product.description,
        "category": category,
        "price": to_decimal_string(product.price),
        "currency": product.currency,
        "weight_grams": str(product.weight_grams),
        "active": "true" if product.is_active else "false",
    }


def cells_of_variant(variant: Variant) -> dict[str, str]:
    return {
        "product_id": variant.product_id,
        "sku": variant.sku,
        "size": variant.size or "",
        "color": variant.color or "",
        "variant_price": "" if variant.price is None else to_decimal_string(variant.price),
        "weight_grams": "" if variant.weight_grams is None else str(variant.weight_grams),
    }


def read_lines(file: BinaryIO) -> Iterator[Line | BadLine]:
    """What can be read of it; after a line that cannot, it goes on with the next one."""
    text = _Text(file)
    # A quotation mark that is never closed would swallow all the lines behind it.
    reader = csv.reader(text, strict=True)
    columns = _columns(reader)
    while True:
        number = text.line + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, _Unreadable) as error:
            yield BadLine(number, "", Invalid.code, _reason(error))
            continue
        if len(cells) == len(columns):
            yield Line(number, dict.fromkeys(COLUMNS, "") | dict(zip(columns, map(unescaped, cells), strict=True)))
        elif any(cells):
            yield BadLine(number, "", Invalid.code, f"There are {len(cells)} cells in {len(columns)} columns.")


def _columns(reader: Iterator[list[str]]) -> Sequence[str]:
    try:
        columns = [cell.strip() for cell in next(reader, [])]
    except (csv.Error, _Unreadable) as error:
        raise WrongFile(f"Line 1: {_reason(error)}") from None
    unknown = [column for column in columns if column not in COLUMNS]
    if unknown or len(set(columns)) < len(columns) or "product_id" not in columns:
        which = f" {unknown[0][:60]!r} is none of them." if unknown else ""
        raise WrongFile(
            f"Line 1: it must name the columns, product_id and each other once at most.{which}"
            f" There are {', '.join(COLUMNS)}; they are separated by commas."
        )
    return columns


class _Unreadable(Exception):
    pass


class _Text:
    """The lines as text. No generator: that would end with the first line that it refuses."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.line = 0

    def __iter__(self) -> "_Text":
        return self

    def __next__(self) -> str:
        line = self._file.readline(_LONGEST_LINE)
        if not line:
            raise StopIteration
        self.line += 1
        if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = self._file.readline(_LONGEST_LINE)
            raise _Unreadable(f"The line is longer than {_LONGEST_LINE // 1024} kB.")
        try:
            return line.decode("utf-8-sig" if self.line == 1 else "utf-8")
        except UnicodeDecodeError:
            raise _Unreadable("This is not UTF-8: save the file in that encoding.") from None


def _reason(error: Exception) -> str:
    words = str(error)
    if "field larger" in words:
        return f"A cell is longer than {csv.field_size_limit():,} characters; perhaps a quotation mark is not closed."
    if "new-line character" in words:
        return "A line break stands in a cell without quotation marks."
    if isinstance(error, csv.Error):
        return "The quotation marks do not match: a cell that holds one is written in quotation marks, with two of it."
    return words
