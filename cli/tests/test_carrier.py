"""`orderflow carrier simulate` against a platform that cannot be played with: one line says why."""

from pathlib import Path

from orderflow.folder import Connection, Folder

from .factories import called


async def test_with_an_autopilot_there_is_nothing_to_play(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:1"
    platform = Connection(
        urls={"delivery": nobody}, tokens={"warehouse": "t"}, carrier_secret="", mail_secret="", database_urls={}
    )
    Folder(tmp_path).announce(platform)

    result = await called("carrier", "simulate", "--dispatch", "--data", str(tmp_path))

    assert (result.exit_code, result.stderr) == (
        1,
        "orderflow: This platform's autopilot dispatches and delivers everything itself. Start one with --manual.\n",
    )
