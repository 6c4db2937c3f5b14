"""Payments at Stripe: an authorisation is a PaymentIntent that is captured by hand, named by our keys in its metadata.

Stripe forgets an idempotency key after a day, and never the metadata: what is older is looked up and not asked again.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid5

from pydantic import SecretStr

from contracts.sales.payments import OperationKind

from .gateway import Done, Found, Outcome, Pending, Question, Reason, Refused, Unanswered, Unheard
from .stripe_http import StripeAnswer, StripeHttp
from .stripe_money import Unpayable, from_stripe, to_stripe
from .stripe_objects import Intent, Listed, Refund, understood, why

NAME: Final = "stripe"
KEYS_LIVE: Final = timedelta(hours=23)
_MOST_PAGES: Final = 10
_INTENTS: Final = "/v1/payment_intents"


class StripeGateway:
    name = NAME

    def __init__(
        self,
        url: str,
        secret_key: SecretStr,
        *,
        timeout: timedelta,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._http = StripeHttp(url, secret_key, timeout)
        self._clock = clock

    async def authorise(self, question: Question, card: str) -> Outcome:
        if self._is_old(question):
            raise Unanswered("the key may be forgotten")
        try:
            form = {**_intent_form(question), "payment_method": card}
        except Unpayable:
            return Refused(Reason.REJECTED)
        form |= {"confirm": "true", "error_on_requires_action": "true"}
        answer = await self._http.post(_INTENTS, form, question.key)
        if answer.is_success:
            return _authorised(question, understood(Intent, answer.body))
        _not_this_key(answer)
        return Refused(why(answer.error))

    async def capture(self, question: Question) -> Outcome:
        try:
            form = {"amount_to_capture": str(to_stripe(question.amount, question.currency))}
        except Unpayable:
            return Refused(Reason.REJECTED)
        answer = await self._http.post(f"{_path(question)}/capture", form, question.key)
        if answer.is_success:
            return _captured(question, understood(Intent, answer.body))
        return await self._why_not(question, answer)

    async def void(self, question: Question) -> Outcome:
        answer = await self._http.post(f"{_path(question)}/cancel", {}, question.key)
        if answer.is_success:
            return _voided(question, understood(Intent, answer.body))
        return await self._why_not(question, answer)

    async def refund(self, question: Question) -> Outcome:
        try:
            amount = to_stripe(question.amount, question.currency)
        except Unpayable:
            return Refused(Reason.REJECTED)
        form = {"payment_intent": question.payment_reference or "", "amount": str(amount), **_metadata(question)}
        answer = await self._http.post("/v1/refunds", form, question.key)
        if answer.is_success:
            return _refunded(understood(Refund, answer.body))
        _not_this_key(answer)
        return Refused(why(answer.error))

    async def look_up(self, question: Question) -> Found:
        match question.kind:
            case OperationKind.AUTHORISE:
                return await self._find_authorisation(question)
            case OperationKind.CAPTURE:
                return _unless_open(await self._intent(question), lambda intent: _captured(question, intent))
            case OperationKind.VOID:
                return _unless_open(await self._intent(question), lambda intent: _voided(question, intent))
            case OperationKind.REFUND:
                return await self._find_refund(question)

    async def forestall(self, question: Question) -> Found:
        """Takes the key for an intent that nobody confirms: the request, should it yet arrive, fits it no more."""
        if self._is_old(question):
            # Found by now if it had been made, and no request is on its way for that long.
            return await self._settled_by_age(question)
        try:
            form = {**_intent_form(question), "metadata[forestalled]": "true"}
        except Unpayable:
            return Refused(Reason.NEVER_ASKED)
        answer = await self._http.post(_INTENTS, form, question.key)
        if not answer.is_success:
            # Too late: the search, which lags behind, will show what became of it.
            found = await self._find_authorisation(question)
            return Pending() if isinstance(found, Unheard) else found
        intent = understood(Intent, answer.body)
        await self._http.post(f"{_INTENTS}/{intent.id}/cancel", {}, uuid5(question.key, "forestalled"))
        return Refused(Reason.NEVER_ASKED)

    async def close(self) -> None:
        await self._http.close()

    def _is_old(self, question: Question) -> bool:
        return self._clock() - question.asked_at > KEYS_LIVE

    async def _settled_by_age(self, question: Question) -> Found:
        found = await self._find_authorisation(question)
        return Refused(Reason.NEVER_ASKED) if isinstance(found, Unheard) else found

    async def _find_authorisation(self, question: Question) -> Found:
        query = {"query": f"metadata['operation']:'{question.key}'", "limit": "10"}
        found = _certain(await self._http.get(f"{_INTENTS}/search", query))
        intents = [understood(Intent, each) for each in understood(Listed, found.body).data]
        ours = [intent for intent in intents if intent.operation == question.key]
        return _authorised(question, ours[0]) if ours else Unheard()

    async def _find_refund(self, question: Question) -> Found:
        query = {"payment_intent": question.payment_reference or "", "limit": "100"}
        for _ in range(_MOST_PAGES):
            page = understood(Listed, _certain(await self._http.get("/v1/refunds", query)).body)
            refunds = [understood(Refund, each) for each in page.data]
            for refund in refunds:
                if refund.operation == question.key:
                    return _refunded(refund)
            if not page.has_more or not refunds:
                return Unheard()
            query["starting_after"] = refunds[-1].id
        raise Unanswered("too many refunds")

    async def _intent(self, question: Question) -> Intent:
        return understood(Intent, _certain(await self._http.get(_path(question))).body)

    async def _why_not(self, question: Question, answer: StripeAnswer) -> Outcome:
        """What the intent is now says more than the error: somebody else may have been faster."""
        _not_this_key(answer)
        said: Any = answer.error.get("payment_intent")
        intent = understood(Intent, said) if said else await self._intent(question)
        if intent.status == "canceled" or answer.error.get("code") == "capture_charge_authorization_expired":
            return Refused(Reason.VOIDED_ALREADY)
        if intent.status == "succeeded":
            return Refused(Reason.CAPTURED_ALREADY)
        return Refused(why(answer.error))


def _path(question: Question) -> str:
    return f"{_INTENTS}/{question.payment_reference}"


def _metadata(question: Question) -> dict[str, str]:
    return {"metadata[payment_id]": str(question.payment_id), "metadata[operation]": str(question.key)}


def _intent_form(question: Question) -> dict[str, str]:
    return {
        "amount": str(to_stripe(question.amount, question.currency)),
        "currency": question.currency.lower(),
        "capture_method": "manual",
        "payment_method_types[]": "card",
        **_metadata(question),
    }


def _not_this_key(answer: StripeAnswer) -> None:
    """The key belongs to a request that was another one: what became of that, this answer does not say."""
    if answer.error.get("type") == "idempotency_error":
        raise Unanswered("the key was used before")


def _certain(answer: StripeAnswer) -> StripeAnswer:
    if not answer.is_success:
        raise Unanswered("not found")
    return answer


def _authorised(question: Question, intent: Intent) -> Outcome:
    if (intent.amount, intent.currency.upper()) != (to_stripe(question.amount, question.currency), question.currency):
        raise Unanswered("another amount")
    match intent.status:
        case "requires_capture" | "succeeded":
            return Done(intent.id)
        case "processing" | "requires_confirmation":
            return Pending()
        case "requires_action":
            return Refused(Reason.NEEDS_CUSTOMER)
        case "canceled" | "requires_payment_method" if intent.was_forestalled:
            return Refused(Reason.NEVER_ASKED)
        case "canceled":
            return Refused(Reason.VOIDED_ALREADY)
        case "requires_payment_method":
            return Refused(why(intent.last_payment_error))
        case _:
            raise Unanswered("an unknown status")


def _captured(question: Question, intent: Intent) -> Outcome:
    match intent.status:
        case "succeeded":
            return Done(intent.id, from_stripe(intent.amount_received, question.currency))
        case "processing":
            return Pending()
        case "canceled":
            return Refused(Reason.VOIDED_ALREADY)
        case _:
            raise Unanswered("an unknown status")


def _voided(question: Question, intent: Intent) -> Outcome:
    match intent.status:
        case "canceled":
            return Done(question.payment_reference or intent.id)
        case "succeeded":
            return Refused(Reason.CAPTURED_ALREADY)
        case "processing":
            return Pending()
        case _:
            raise Unanswered("an unknown status")


def _refunded(refund: Refund) -> Outcome:
    match refund.status:
        case "succeeded":
            return Done(refund.id)
        case "pending":
            return Pending()
        case "failed" | "canceled" | "requires_action":
            return Refused(Reason.REJECTED)
        case _:
            raise Unanswered("an unknown status")


def _unless_open(intent: Intent, understand: Callable[[Intent], Outcome]) -> Found:
    return Unheard() if intent.status == "requires_capture" else understand(intent)
