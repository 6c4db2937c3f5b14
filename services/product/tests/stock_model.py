"""The inventory in a few lines of Python, one call after the other: what Product has to be like from outside."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from contracts.product.inventory import RequestedItem, Unavailable
from product.inventory.model import DEDUCTED, HELD, REFUSED, RELEASED, Article

STOCK: Final = {"beans": 4, "shirt": 3}
VARIANTS: Final = [UUID(int=100 + number) for number in range(3)]
"""Of `shirt`, each once it was added."""
ARTICLES: Final[list[Article]] = [
    *((product_id, None) for product_id in STOCK),
    *(("shirt", variant_id) for variant_id in VARIANTS),
]

Answered = tuple[int, bool, Unavailable | None]
"""How many are available, whether that is enough, why there are none."""
Moved = tuple[Article, str, int, int]


class Model:
    def __init__(self) -> None:
        self.on_hand: dict[Article, int] = {(product_id, None): count for product_id, count in STOCK.items()}
        self.reserved: Counter[Article] = Counter()
        self.off_sale: set[str] = set()
        self.states: dict[UUID, str] = {}
        self.lines: dict[UUID, Counter[Article]] = {}
        self.answers: dict[UUID, list[Answered]] = {}
        self.events: Counter[tuple[str, str]] = Counter()
        self.movements: Counter[Moved] = Counter(
            (article, "received", count, 0) for article, count in self.on_hand.items()
        )

    def reserve(self, key: UUID, wanted: list[RequestedItem]) -> tuple[str, list[Answered]]:
        if self.states.get(key) == RELEASED:
            return RELEASED, [(0, False, None)] * len(wanted)
        if key not in self.states:
            asked: Counter[Article] = Counter()
            answers: list[Answered] = []
            for each in wanted:
                article = each.product_id, each.variant_id
                reason = self._reason(article)
                if reason:
                    answers.append((0, False, reason))
                    continue
                asked[article] += each.quantity
                answers.append((self.available(article), asked[article] <= self.available(article), None))
            fits = all(enough for _, enough, _ in answers)
            self.answers[key], self.states[key] = answers, HELD if fits else REFUSED
            self.lines[key] = asked if fits else Counter()
            self._tell("reserved", key, fits)
            for article, quantity in self.lines[key].items():
                self._move(article, "reserved", 0, quantity)
        return self.states[key], self.answers[key]

    def release(self, key: UUID) -> tuple[str | None, bool]:
        if self.states.setdefault(key, RELEASED) == HELD:
            self.states[key] = RELEASED
            self._tell("released", key)
            for article, quantity in self.lines[key].items():
                self._move(article, "released", 0, -quantity)
        return self.states[key], self.states[key] == RELEASED

    def deduct(self, key: UUID) -> tuple[str | None, bool]:
        if self.states.get(key) == HELD:
            self.states[key] = DEDUCTED
            self._tell("deducted", key)
            for article, quantity in self.lines[key].items():
                self._move(article, "deducted", -quantity, -quantity)
        return self.states.get(key), self.states.get(key) == DEDUCTED

    def restock(self, article: Article, quantity: int) -> str | None:
        if article not in self.on_hand:
            return "PRODUCT_NOT_FOUND"
        if self._is_left_over(article):
            return "VARIANT_REQUIRED"
        if not 1 <= quantity <= 1_000_000:
            return "INVALID_QUANTITY"
        self._move(article, "received", quantity, 0)
        self._tell("restocked", article)
        return None

    def correct(self, article: Article, quantity: int) -> str | None:
        if article not in self.on_hand:
            return "PRODUCT_NOT_FOUND"
        if self._is_left_over(article) and quantity > 0:
            return "VARIANT_REQUIRED"
        if quantity == 0 or self.on_hand[article] + quantity < 0:
            return "INVALID_QUANTITY"
        if self.on_hand[article] + quantity < self.reserved[article]:
            return "STOCK_RESERVED"
        self._move(article, "corrected", quantity, 0)
        return None

    def add_variant(self, variant_id: UUID, quantity: int) -> None:
        self.on_hand["shirt", variant_id] = 0
        if quantity:
            self._move(("shirt", variant_id), "received", quantity, 0)

    def available(self, article: Article) -> int:
        return self.on_hand[article] - self.reserved[article]

    def in_stock(self) -> dict[str, bool]:
        return {
            product_id: any(
                self.available(article)
                for article in self.on_hand
                if article[0] == product_id and not self._is_left_over(article)
            )
            for product_id in STOCK
        }

    def _reason(self, article: Article) -> Unavailable | None:
        if article not in self.on_hand:
            return Unavailable.UNKNOWN
        if article[0] in self.off_sale:
            return Unavailable.NOT_ON_SALE
        return Unavailable.VARIANT_REQUIRED if self._is_left_over(article) else None

    def _is_left_over(self, article: Article) -> bool:
        """The product comes in variants, and this is what it had before."""
        return article[1] is None and any(other[0] == article[0] and other[1] for other in self.on_hand)

    def _move(self, article: Article, kind: str, on_hand: int, reserved: int) -> None:
        before = self.available(article)
        self.on_hand[article] += on_hand
        self.reserved[article] += reserved
        self.movements[article, kind, on_hand, reserved] += 1
        if before and not self.available(article) and not self._is_left_over(article):
            self._tell("out_of_stock", article)

    def _tell(self, what: str, about: UUID | Article, really: bool = True) -> None:
        self.events[f"inventory.{what}", subject(about)] += really


def subject(about: UUID | Article) -> str:
    return str(about) if isinstance(about, UUID) else f"{about[0]}/{about[1] or ''}"


def told(events: Iterable[tuple[str, Mapping[str, str]]]) -> Counter[tuple[str, str]]:
    """What was published about the inventory, counted as the model counts it."""
    return Counter(
        (kind, content.get("reservation_id") or f"{content['product_id']}/{content.get('variant_id', '')}")
        for kind, content in events
        if kind.startswith("inventory.")
    )


def falls_to_nothing(movements: Iterable[tuple[Article, str, int, int]]) -> Counter[str]:
    """How often each ran out, in the order in which its movements were made. None of them may have been too many."""
    available: Counter[Article] = Counter()
    falls: Counter[str] = Counter()
    for article, kind, on_hand, reserved in movements:
        before = available[article]
        available[article] += on_hand - reserved
        assert available[article] >= 0, f"{article} oversold by a movement of kind {kind}"
        falls[subject(article)] += before > 0 and available[article] == 0
    return +falls
