"""A replica that does nothing but send, as a process of its own: `python -m … DATABASE_URL PORT`, with FAILPOINTS."""

import asyncio
import os
import sys

from chassis import failpoints

from .factories import a_post_office
from .mail_server import MailServer


async def main(database_url: str, port: int) -> None:
    failpoints.arm("test", os.environ["FAILPOINTS"])
    async with a_post_office(database_url, MailServer(port=port)) as office:
        await office.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
