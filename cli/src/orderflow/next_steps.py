"""What to try on a platform that has just started, as commands for bash that can be pasted as they are."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .folder import Connection
from .options import DEFAULT_FOLDER

_JSON: Final = "-H 'Content-Type: application/json'"
_AS_CUSTOMER: Final = '-H "Authorization: Bearer $TOKEN"'
_AS_STAFF: Final = '-H "Authorization: Bearer $STAFF"'
_ITEMS: Final = (
    '{"items": [{"product_id": "product_456", "quantity": 2}, {"product_id": "product_789", "quantity": 1}]}'
)


def next_steps(platform: Connection, folder: Path, seconds: float) -> str:
    command = _command()
    data = "" if folder == DEFAULT_FOLDER else f" --data {shlex.quote(str(folder))}"
    parts = [
        f"orderflow is ready after {seconds:.1f} s (Ctrl-C stops it; it logs to {folder / 'orderflow.log'}).",
        *(f"  {name:<12} {url}/docs" for name, url in platform.urls.items()),
        f"  {'mails':<12} {_where_mails_go(platform)}",
        "",
        "Try this in a second terminal:",
        *_as_customer(platform, command, data),
        *(_as_staff(platform, command, data) if platform.manual else []),
        *_block(
            "Place an order and watch it until it is delivered:",
            f"{command} demo{' --drive' if platform.manual else ''}{data}",
        ),
    ]
    return "\n".join(parts)


def _where_mails_go(platform: Connection) -> str:
    if platform.mail_folder is None:
        return "go out by SMTP"
    return f"are written to {shlex.quote(str(platform.mail_folder))}"


def _as_customer(platform: Connection, command: str, data: str) -> Sequence[str]:
    sales, product = platform.urls["sales"], platform.urls["product"]
    return [
        *_block(
            "Become the demo customer:",
            f"cd {shlex.quote(str(Path.cwd()))}",
            f"TOKEN=$({command} token customer{data})",
        ),
        *_block(
            "See what is in stock:",
            f"curl -sS {product}/api/v1/products/check-availability {_JSON} -d '{_ITEMS}'; echo",
        ),
        *_block(
            "Place an order (the same Idempotency-Key again would give the same answer again):",
            'KEY="Idempotency-Key: first-$RANDOM$RANDOM"',
            f"ORDER=$(curl -sS {sales}/api/v1/orders {_AS_CUSTOMER} {_JSON} -H \"$KEY\" -d '{_ITEMS}')",
            'echo "$ORDER"; ORDER_ID=${ORDER#*\'"order_id":"\'}; ORDER_ID=${ORDER_ID%%\'"\'*}',
        ),
        *_block(
            "Look at it, and at what has happened to it so far:",
            f"curl -sS {sales}/api/v1/orders/$ORDER_ID {_AS_CUSTOMER}; echo",
            f"curl -sS {sales}/api/v1/orders/$ORDER_ID/timeline {_AS_CUSTOMER}; echo",
        ),
    ]


def _as_staff(platform: Connection, command: str, data: str) -> Sequence[str]:
    shipments = f"{platform.urls['delivery']}/api/v1/shipments"
    return _block(
        "Be the warehouse, and then the carrier: dispatch the parcel and deliver it:",
        f"STAFF=$({command} token warehouse{data})",
        f'SHIPMENT=$(curl -sS "{shipments}?order_id=$ORDER_ID" {_AS_STAFF})',
        "SHIPMENT_ID=${SHIPMENT#*'\"shipment_id\":\"'}; SHIPMENT_ID=${SHIPMENT_ID%%'\"'*}",
        'PARCEL=\'{"carrier": "FedEx", "tracking_number": "TRK-\'$RANDOM$RANDOM\'"}\'',
        f'curl -sS {shipments}/$SHIPMENT_ID/dispatch {_AS_STAFF} {_JSON} -d "$PARCEL"',
        f'curl -sS {shipments}/$SHIPMENT_ID/delivery {_AS_STAFF} {_JSON} -d \'{{"delivery_location": "Front door"}}\'',
    )


def _block(title: str, *commands: str) -> list[str]:
    return ["", f"# {title}", *(f"  {command}" for command in commands)]


def _command() -> str:
    """As short as it can be and still work after the `cd` that the first block begins with."""
    program = Path(sys.argv[0]).absolute()
    here = Path.cwd()
    return shlex.quote(str(program.relative_to(here) if program.is_relative_to(here) else program))
