"""`orderflow carrier simulate`: plays a carrier at its worst against a running platform, and shows what it answers."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any, Final

import aiohttp
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from contracts.delivery.shipments import ShipmentStatus
from delivery.carriers.simulator.playing import Answer, Stage, not_yet_right, play
from delivery.carriers.simulator.stories import Heard, Parcel, Story, write_stories
from delivery.carriers.simulator.tricks import NEED_STAFF, Trick

from .client import Client
from .failure import USAGE, Failure
from .folder import Connection, Folder
from .options import DEFAULT_FOLDER, Data, span

_LOOK_EVERY: Final = 0.5

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Play a carrier.")


@app.callback()
def carrier() -> None:
    """Play a carrier."""


@app.command()
def simulate(
    data: Data = DEFAULT_FOLDER,
    tricks: Annotated[
        str, typer.Option(metavar="all|NAME,…", help=f"Which of {', '.join(Trick)}; none: it only delivers.")
    ] = "all",
    orders: Annotated[int, typer.Option(min=1, max=10_000, help="How many parcels at most.")] = 100,
    seed: Annotated[int | None, typer.Option(show_default="any", help="The same seed makes the same choices.")] = None,
    name: Annotated[str, typer.Option("--carrier", help="Whom it plays.")] = "Simulator",
    dispatch: Annotated[
        bool, typer.Option("--dispatch", help="Dispatch with it what is ready, as staff would; some tricks need that.")
    ] = False,
    within: Annotated[str, typer.Option(metavar="TIME", help="How long to wait until all has had its effect.")] = "2m",
) -> None:
    """Report of the parcels that a carrier has, with everything that carriers get wrong.

    They are sent as signed webhooks. Then it is seen whether each parcel has become what it must.
    """
    chosen, patience = _tricks(tricks), span(within)
    seed = random.randrange(10**6) if seed is None else seed
    platform = Folder(data).connection()
    if not platform.manual:
        raise Failure("This platform's autopilot dispatches and delivers everything itself. Start one with --manual.")
    asyncio.run(_Run(platform, name, patience).simulate(chosen, orders, seed, dispatch=dispatch))


def _tricks(named: str) -> set[Trick]:
    if named in ("all", "none"):
        return set(Trick) if named == "all" else set()
    try:
        return {Trick(each.strip()) for each in named.split(",")}
    except ValueError as error:
        raise Failure(f"There are no such tricks as {named!r}. They are {', '.join(Trick)}.", USAGE) from error


class _Run:
    def __init__(self, platform: Connection, name: str, patience: timedelta) -> None:
        self._platform = platform
        self._name = name
        self._patience = patience
        self._console = Console()

    async def simulate(self, tricks: set[Trick], orders: int, seed: int, *, dispatch: bool) -> None:
        url = self._platform.urls["delivery"]
        async with Client(url, self._platform.tokens["warehouse"]) as staff, _post(url) as post:
            parcels = await self._find(staff, orders, dispatch=dispatch)
            stories = write_stories(parcels, tricks, seed)
            self._say(f"{self._name} has {len(parcels)} parcels (--seed {seed}).")
            stage = Stage(self._name, self._platform.carrier_secret, post, staff)
            with _progress() as progress:
                task = progress.add_task("reporting", total=len(stories))
                answers = await play(stories, stage, lambda _: progress.advance(task))
            self._console.print(_table(answers))
            wrong = await self._wait(stories, staff)
        self._conclude(stories, answers, wrong, tricks, dispatch=dispatch)

    async def _find(self, staff: Client, most: int, *, dispatch: bool) -> list[Parcel]:
        theirs: list[Parcel] = []
        for status in (ShipmentStatus.SHIPPED, *([ShipmentStatus.READY] if dispatch else [])):
            async for each in staff.listed("/api/v1/shipments", {"status": str(status)}):
                if len(theirs) == most:
                    return theirs
                if status == ShipmentStatus.READY:
                    theirs.append(Parcel(each["shipment_id"], None, sum(item["quantity"] for item in each["items"])))
                elif each["carrier"].casefold() == self._name.casefold():
                    theirs.append(Parcel(each["shipment_id"], each["tracking_number"]))
        if not theirs:
            hint = (
                "Nothing is ready either." if dispatch else f"Dispatch some with carrier {self._name!r}, or --dispatch."
            )
            raise Failure(f"{self._name} has no parcel that is on its way. {hint}")
        return theirs

    async def _wait(self, stories: Sequence[Story], staff: Client) -> list[Story]:
        """What cannot have its effect at once is tried again with growing pauses."""
        deadline = time.monotonic() + self._patience.total_seconds()
        wrong = await not_yet_right(stories, staff)
        while wrong and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_EVERY)
            wrong = await not_yet_right(wrong, staff)
        return wrong

    def _conclude(
        self,
        stories: Sequence[Story],
        answers: Sequence[Answer],
        wrong: Sequence[Story],
        tricks: set[Trick],
        *,
        dispatch: bool,
    ) -> None:
        ends = Counter(status for story in stories for status in story.becomes.values())
        self._say(f"They must become: {', '.join(f'{count} {status}' for status, count in sorted(ends.items()))}.")
        if unknown := sum(len(story.unknown) for story in stories):
            self._say(
                f"{unknown} reports are of parcels that nobody knows: see GET /api/v1/carrier-reports?state=UNMATCHED."
            )
        if not dispatch and tricks & NEED_STAFF:
            self._say(f"Not played without --dispatch: {', '.join(sorted(tricks & NEED_STAFF))}.")
        strange = [answer for answer in answers if not answer.is_as_expected]
        for answer in strange[:10]:
            self._say(f"Unexpected: {answer.heard} for a report of {answer.story.parcel.shipment_id}.")
        for story in wrong[:10]:
            self._say(f"Not what it must be: {story.parcel.shipment_id}.")
        if strange or wrong:
            raise Failure(f"{len(strange)} answers were unexpected, {len(wrong)} parcels are not what they must be.")
        self._say("All of them are, and every answer was as expected.")

    def _say(self, words: str) -> None:
        self._console.print(words, highlight=False, soft_wrap=True, markup=False)


@asynccontextmanager
async def _post(url: str) -> AsyncIterator[Any]:
    """As a carrier does it: without a token, and with an open mind about the answer."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:

        async def post(path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
            try:
                async with session.post(url + path, data=body, headers=headers) as answer:
                    return answer.status, await answer.json()
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                raise Failure(f"{url} does not answer as orderflow does. Does the platform still run?") from error

        yield post


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _table(answers: Iterable[Answer]) -> Table:
    heard = Counter((answer.send.trick or "plain", answer.heard) for answer in answers)
    table = Table(title="What was answered", title_justify="left")
    table.add_column("trick")
    columns = [*map(str, Heard), *sorted({each for _, each in heard} - set(Heard))]
    for column in columns:
        table.add_column(column, justify="right")
    for trick in sorted({str(trick) for trick, _ in heard}):
        table.add_row(trick, *(str(heard[trick, column] or "") for column in columns))
    return table
