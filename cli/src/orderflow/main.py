"""The table of commands; what each does is its own module's, which is loaded when it is asked for."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from .failure import Failure

COMMANDS = ("up", "demo", "token", "events", "check", "keys", "rotate", "seed", "catalogue", "serve")


class _Commands(TyperGroup):
    """Getting a token must not wait until all services are imported."""

    def list_commands(self, _: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _: Any, name: str) -> Any:
        if name not in COMMANDS:
            return None
        command = get_command(import_module(f"orderflow.{name}").app)
        command.name = name
        return command

    def invoke(self, context: Any) -> Any:
        try:
            return super().invoke(context)
        except Failure as failure:
            typer.echo(f"orderflow: {failure}", err=True)
            raise typer.Exit(failure.exit_code) from None


app = typer.Typer(cls=_Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def orderflow() -> None:
    """Starts orderflow, shows it, and looks after it."""
