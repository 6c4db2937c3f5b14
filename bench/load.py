"""Load on Sales: what is ordered, by how many, for how long; the clients themselves are another process."""

import asyncio
import json
import secrets
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from . import client
from .histogram import Histogram

ADDRESS = {"name": "Ada", "line1": "12 Analytical Row", "city": "Springfield", "postal_code": "62701", "country": "US"}
PATH = "/api/v1/orders"


@dataclass(frozen=True)
class Load:
    """Where nothing else is said: of many products, by clients that order without a pause."""

    url: str
    tokens: Sequence[str]
    bodies: Sequence[str]
    clients: int = 32
    seconds: float = 5.0
    rate: float = 0
    most: int = 0
    repeats: int = 1


@dataclass(frozen=True)
class Outcome:
    answers: Counter[int]
    seconds: float
    latencies: Histogram
    began_at: float
    cpu: float
    """Seconds that the clients themselves have cost."""

    @property
    def accepted(self) -> int:
        return self.answers[201]

    @property
    def per_second(self) -> float:
        return self.accepted / self.seconds


async def run(load: Load) -> Outcome:
    where = urlsplit(load.url)
    asked = client.Load(
        host=where.hostname or "127.0.0.1",
        port=where.port or 80,
        path=PATH,
        tokens=list(load.tokens),
        bodies=list(load.bodies),
        clients=load.clients,
        seconds=load.seconds,
        keys=secrets.token_hex(6),
        rate=load.rate,
        most=load.most,
        repeats=load.repeats,
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.client", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate(json.dumps(asdict(asked)).encode())
    if process.returncode:
        raise RuntimeError(f"the clients at {load.url} ended with {process.returncode}")
    saw = json.loads(told)
    return Outcome(
        Counter({int(status): count for status, count in saw["answers"].items()}),
        saw["seconds"],
        Histogram({int(number): count for number, count in saw["latencies"].items()}),
        saw["began_at"],
        saw["cpu"],
    )
