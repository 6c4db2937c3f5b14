"""The page behind the link in a mail: what is turned off by it, and a button. Nothing of it comes from elsewhere."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from contracts.notification.preferences import Topic

from .addressees import DEFAULT_LANGUAGE

_STYLE: Final = (
    ":root{color-scheme:light dark}body{font-family:system-ui,sans-serif;line-height:1.5;max-width:34rem;"
    "margin:4rem auto;padding:0 1rem}button{font:inherit;padding:.6rem 1.2rem;cursor:pointer}"
)
_HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    # The address of this page is as good as the mail that it came in.
    "Referrer-Policy": "no-referrer",
}
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "title": "Mail preferences",
        "question": "Do you want no more mails about this?",
        "button": "No more of these mails",
        "done": "Done: you get no more mails about this.",
        "later": (
            "You can change that at any time in your account. What you have to know of your orders still reaches you."
        ),
        Topic.ORDER_PROGRESS: "Where your orders are: sent, delivered",
        Topic.RETURN_PROGRESS: "Where your returns are: announced, arrived",
        Topic.BACK_IN_STOCK: "Products that you wait for and that can be had again",
    },
    "de": {
        "title": "E-Mail-Einstellungen",
        "question": "Möchten Sie dazu keine E-Mails mehr erhalten?",
        "button": "Keine E-Mails dieser Art mehr",
        "done": "Erledigt: Sie erhalten dazu keine E-Mails mehr.",
        "later": (
            "Sie können das jederzeit in Ihrem Kundenkonto ändern. Was Sie zu Ihren Bestellungen wissen müssen,"
            " teilen wir Ihnen weiterhin mit."
        ),
        Topic.ORDER_PROGRESS: "Wo Ihre Bestellungen sind: versandt, zugestellt",
        Topic.RETURN_PROGRESS: "Wo Ihre Rücksendungen sind: angekündigt, angekommen",
        Topic.BACK_IN_STOCK: "Produkte, auf die Sie warten und die wieder erhältlich sind",
    },
}


def page(language: str, topic: Topic, *, is_done: bool) -> HTMLResponse:
    language = language if language in _WORDS else DEFAULT_LANGUAGE
    words = _WORDS[language]
    html = _template().render(language=language, words=words, topic=words[topic], is_done=is_done, style=_STYLE)
    return HTMLResponse(html, headers=_HEADERS)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("unsubscribe_page.jinja")
