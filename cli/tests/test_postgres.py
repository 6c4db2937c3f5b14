"""The PostgreSQL of our own, after all that can have happened to its folder before."""

import asyncio
import os
from pathlib import Path

import asyncpg
import psutil
import pytest

from orderflow.failure import Failure
from orderflow.postgres import own_postgres

_SLOW_DISK = 8.0


async def _databases(folder: Path) -> set[str]:
    async with own_postgres(folder / "postgres", folder / "postgres.log", ["first", "second"]) as url:
        connection = await asyncpg.connect(url.set(database="postgres").render_as_string())
        try:
            return {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
        finally:
            await connection.close()


async def test_a_new_one_has_its_databases_and_leaves_no_process(tmp_path: Path) -> None:
    assert {"first", "second"} <= await _databases(tmp_path)

    commands = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    assert not [command for command in commands if str(tmp_path) in command]


async def test_what_it_writes_at_its_end_may_take_a_while(tmp_path: Path) -> None:
    async with own_postgres(tmp_path / "postgres", tmp_path / "postgres.log", []) as url:
        connection = await asyncpg.connect(url.set(database="postgres").render_as_string())
        server = psutil.Process(connection.get_server_pid()).parent()
        await connection.close()
        assert server is not None
        writer = next(child for child in server.children() if "checkpointer" in " ".join(child.cmdline()))
        writer.suspend()
        asyncio.get_running_loop().call_later(_SLOW_DISK, writer.resume)

    await _databases(tmp_path)
    assert "recovery" not in (tmp_path / "postgres.log").read_text()


async def test_a_long_path_with_spaces_and_quotes_is_as_good_as_any(tmp_path: Path) -> None:
    folder = tmp_path / ('an "unlucky", long ' * 5).strip()
    folder.mkdir()

    assert {"first", "second"} <= await _databases(folder)
    assert {"first", "second"} <= await _databases(folder)


async def test_what_was_killed_while_it_was_made_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "PG_VERSION").write_text("18\n")

    assert {"first", "second"} <= await _databases(tmp_path)


async def test_a_process_that_has_got_the_number_of_a_killed_server_is_not_taken_for_it(tmp_path: Path) -> None:
    await _databases(tmp_path)
    (tmp_path / "postgres" / "postmaster.pid").write_text(
        f"{os.getppid()}\n{tmp_path}/postgres\n1\n5432\n\n\n\nready\n"
    )

    assert {"first", "second"} <= await _databases(tmp_path)
    assert psutil.pid_exists(os.getppid())


async def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "letters.txt").write_text("dear Ada")

    with pytest.raises(Failure, match="PostgreSQL cannot be started"):
        await _databases(tmp_path)

    assert (tmp_path / "postgres" / "letters.txt").read_text() == "dear Ada"


async def test_a_cluster_that_cannot_be_read_is_reported_with_its_own_words(tmp_path: Path) -> None:
    await _databases(tmp_path)
    (tmp_path / "postgres" / "PG_VERSION").write_text("9.6\n")

    with pytest.raises(Failure, match=r"PostgreSQL has ended in .*9\.6"):
        await _databases(tmp_path)
