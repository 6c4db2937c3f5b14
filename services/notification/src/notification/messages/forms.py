"""The templates in their two forms, text and HTML: every message in every language, compiled and checked at start.

A message is worded once for both. What a paragraph, a button or a list of items looks like is the form's: its parts are
macros, known to all templates by their names.
"""

import re
import textwrap
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from contracts.sales.customers import Language

from .catalogue import MESSAGES
from .wording import LANGUAGES, WORDINGS, line_price

TEMPLATES: Final = Path(__file__).parent / "templates"
_WIDTH: Final = 76
_BLOCKS: Final = {"subject", "preheader", "title", "content"}
_BREAKS: Final = re.compile(r"[ \t\r\n]+")
_WEB_ADDRESS: Final = re.compile(r"https?://[!-~]{1,500}")

Form = Literal["text", "html"]


@cache
def compiled() -> "Forms":
    """Once for a process, which takes a second: they are the same for everybody."""
    return Forms(MESSAGES)


class Incomplete(Exception):
    """A message lacks a part, or a language: nothing starts with that."""


class Forms:
    def __init__(self, messages: Iterable[str], folder: Path = TEMPLATES) -> None:
        environments = {
            (form, language): _environment(folder, form, language) for form in _FORMS for language in LANGUAGES
        }
        self._templates: Mapping[tuple[str, Form, Language], Template] = {
            (message, form, language): _checked(environment.get_template(f"{message}/{language}.jinja"))
            for message in messages
            for (form, language), environment in environments.items()
        }

    def subject(self, message: str, language: Language, told: Mapping[str, Any]) -> str:
        template = self._templates[message, "text", language]
        return _on_one_line("".join(template.blocks["subject"](template.new_context(dict(told)))))

    def filled(self, message: str, form: Form, language: Language, told: Mapping[str, Any]) -> str:
        return self._templates[message, form, language].render(told)


_FORMS: Final[tuple[Form, ...]] = ("text", "html")


def _environment(folder: Path, form: Form, language: Language) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=form == "html",  # noqa: S701 (plain text knows no markup)
        finalize=_something,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        auto_reload=False,
    )
    wording = WORDINGS[language]
    environment.filters.update(day=wording.on_day, at=wording.at, line_price=line_price, fold=_fold)
    environment.tests["web_address"] = lambda value: isinstance(value, str) and _WEB_ADDRESS.fullmatch(value)
    environment.globals.update(form=form, language=language, money=wording.money)
    parts = environment.get_template(f"layout/{form}_parts.jinja").module
    environment.globals.update({name: part for name, part in vars(parts).items() if not name.startswith("_")})
    return environment


def _checked(template: Template) -> Template:
    if missing := _BLOCKS - template.blocks.keys():
        raise Incomplete(f"{template.name} lacks {', '.join(sorted(missing))}.")
    return template


def _something(value: Any) -> Any:
    """No mail says None."""
    if value is None:
        raise ValueError("something that the mail says is not known")
    return value


def _on_one_line(words: str) -> str:
    return _BREAKS.sub(" ", words).strip()


def _fold(words: str) -> str:
    # As RFC 5322 wants lines; links and numbers stay whole.
    return textwrap.fill(_on_one_line(words), _WIDTH, break_long_words=False, break_on_hyphens=False)
