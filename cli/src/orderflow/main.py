"""The table of commands; what each does is its own module's, which is loaded when it is asked for."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from .failure import Failure

_NEEDS: Final = {
    "catalogue": ("product",),
    "carrier": ("delivery",),
    "sequences": ("sales", "product", "delivery", "notification"),
}
"""What is services' own can be done where those are installed; an image has one service only."""
COMMANDS = (
    "up",
    "demo",
    "token",
    "events",
    "mail",
    "check",
    "keys",
    "rotate",
    "seed",
    "catalogue",
    "shipments",
    "carrier",
    "sequences",
    "serve",
)


class _Commands(TyperGroup):
    """Getting a token must not wait until all services are imported."""

    def list_commands(self, _: Any) -> list[str]:
        return [name for name in COMMANDS if _is_here(name)]

    def get_command(self, _: Any, name: str) -> Any:
        if name not in COMMANDS or not _is_here(name):
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


def _is_here(name: str) -> bool:
    return all(find_spec(service) for service in _NEEDS.get(name, ()))


app = typer.Typer(cls=_Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def orderflow() -> None:
    """Starts orderflow, shows it, and looks after it."""
