"""What the options of several commands have in common."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

DEFAULT_FOLDER: Final = Path("orderflow-data")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="The platform's data folder.")]


def span(text: str, *, or_none: bool = False) -> timedelta:
    match = re.fullmatch(r"([1-9]\d{0,4}|0)([smhd])", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no time: give a number and a unit, such as 90s, 30m, 12h or 7d.")
    if match[1] == "0" and not or_none:
        raise typer.BadParameter("This takes some time, such as 90s, 30m, 12h or 7d.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
