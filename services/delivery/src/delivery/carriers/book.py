"""The carriers that we know: who gives tracking numbers, where a parcel is followed, who reports how."""

from typing import Final

from pydantic import SecretStr

from chassis.signature import read_keys
from delivery.settings import CarrierSettings

from .carrier import Carrier, called
from .easypost import EasyPost
from .house import House
from .manual import Manual

_EASYPOST: Final = "EasyPost"


class Carriers:
    def __init__(self, common_secret: SecretStr, settings: CarrierSettings) -> None:
        self.house = settings.house
        """Who carries what is dispatched without naming a carrier."""
        self._common = read_keys(common_secret.get_secret_value())
        self._own = {called(name): read_keys(each.get_secret_value()) for name, each in settings.secrets.items()}
        self._links = {called(name): link for name, link in settings.links.items()}
        self._known: dict[str, Carrier] = {
            called(name): House(name, self._keys(name), self._link(name))
            for name in (settings.house, settings.simulator)
        }
        self._report_themselves = {*self._own, *self._known}
        if settings.easypost.secret is not None:
            self._known[called(_EASYPOST)] = EasyPost(
                _EASYPOST,
                settings.easypost.secret.get_secret_value().split(),
                carriers=settings.easypost.carriers,
                speaks_for=lambda carrier: called(carrier) not in self._report_themselves,
                oldest=settings.easypost.oldest,
            )

    def of(self, name: str) -> Carrier:
        return self._known.get(called(name)) or Manual(name, self._keys(name), self._link(name))

    def tracking_number_for(self, carrier: str) -> str | None:
        """None: its numbers are not ours to make up."""
        return self.of(carrier).new_tracking_number()

    def tracking_url(self, carrier: str, tracking_number: str) -> str | None:
        return self.of(carrier).tracking_url(tracking_number)

    def _keys(self, name: str) -> list[bytes]:
        return self._own.get(called(name), self._common)

    def _link(self, name: str) -> str | None:
        return self._links.get(called(name))
