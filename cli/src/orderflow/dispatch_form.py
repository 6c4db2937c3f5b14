"""A file of what is to be dispatched: its columns, and its lines one by one; what becomes of them is not here."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Final
from uuid import UUID

from pydantic import ValidationError

from chassis.explain import explain
from contracts.delivery.shipments import Dispatch

from .failure import Failure, in_short

COLUMNS: Final = ("shipment_id", "order_id", "carrier", "tracking_number")
INVALID: Final = "VALIDATION_ERROR"
_LARGEST: Final = 32 * 1024 * 1024


class Wanted(Dispatch):
    """What a line says."""

    shipment_id: UUID | None = None
    order_id: UUID | None = None


@dataclass(frozen=True)
class Line:
    number: int
    """Where it begins: a cell may hold line breaks."""
    wanted: Wanted


@dataclass(frozen=True)
class BadLine:
    number: int
    field: str
    code: str
    message: str


def read_lines(path: Path) -> list[Line | BadLine]:
    """What can be read of it; after a line that cannot, it goes on with the next one."""
    return list(_lines(_text(path)))


def _lines(text: str) -> Iterator[Line | BadLine]:
    reader = csv.reader(StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    columns = _columns(reader)
    while True:
        number = reader.line_num + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            yield BadLine(number, "", INVALID, f"This cannot be read as CSV: {error}.")
            continue
        if not any(cells):
            continue
        if len(cells) == len(columns):
            yield _line(number, dict(zip(columns, cells, strict=True)))
        else:
            yield BadLine(number, "", INVALID, f"There are {len(cells)} cells in {len(columns)} columns.")


def _line(number: int, cells: Mapping[str, str]) -> Line | BadLine:
    named = {column: cell for column, cell in cells.items() if cell}
    if not named.keys() & {"shipment_id", "order_id"}:
        return BadLine(number, "shipment_id", INVALID, "This names neither a shipment nor an order.")
    try:
        return Line(number, Wanted.model_validate(named))
    except ValidationError as error:
        [first, *_] = explain(error.errors(include_url=False, include_input=False))
        return BadLine(number, first["field"], INVALID, first["message"])


def _columns(reader: Iterator[list[str]]) -> Sequence[str]:
    try:
        columns = [cell.strip() for cell in next(reader, [])]
    except csv.Error as error:
        raise Failure(f"Line 1 cannot be read as CSV: {error}.") from None
    has_parcels = bool({"shipment_id", "order_id"} & set(columns))
    if not has_parcels or not set(columns) <= set(COLUMNS) or len(set(columns)) < len(columns):
        raise Failure(
            "Line 1 must name the columns, shipment_id or order_id and each other once at most."
            f" There are {', '.join(COLUMNS)}; they are separated by commas or semicolons."
        )
    return columns


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return ";" if ";" in first and "," not in first else ","


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise Failure(f"{path} is larger than {_LARGEST // 1024 // 1024} MB.")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Failure(f"{path} cannot be opened: {in_short(error)}.") from error
    except UnicodeDecodeError as error:
        raise Failure(f"{path} is not UTF-8: save the file in that encoding.") from error
