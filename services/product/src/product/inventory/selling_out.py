"""Says that the last piece that could be had of something is gone."""

from contextlib import nullcontext

from sqlalchemy.ext.asyncio import AsyncSession

from chassis import tracing
from chassis.outbox import publish
from chassis.steps import step
from contracts.product.inventory import OutOfStock

from .model import Article


def tell_that_it_is_out(session: AsyncSession, article: Article, name: str, trace: str | None = None) -> None:
    """In the trace of the one who took it, where it is one of many in a batch."""
    with tracing.working_for([trace]) if trace else nullcontext():
        _emit(session, article, name)


@step("EventBus", "emit")
def _emit(session: AsyncSession, article: Article, name: str) -> None:
    product_id, variant_id = article
    publish(session, OutOfStock(product_id=product_id, variant_id=variant_id, name=name))
