"""How a test's own server stops."""

import asyncio


async def stop_listening(server: asyncio.Server) -> None:
    """Whoever was let in has reached the server's protocol by then, and can be told to go.

    `Server.close` alone forgets those for whom no transport was made yet (Python 3.11): their sockets stay open until
    they are collected, while the other end waits for an answer.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening)
    # The transport is made in the loop's next turn, and the protocol hears of it in the one after.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    server.close()
