"""Who somebody is to us: shown to them, and locked for whatever they change about themselves."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import NotFound, Unauthenticated
from chassis.outbox import publish
from contracts.sales.customers import CustomerStatus
from contracts.sales.profile import ChangeProfile, CustomerChanged, CustomerView
from sales.customers.model import Customer


class CustomerNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such customer.")


class NoLongerCustomer(Unauthenticated):
    """Their tokens end a little later than they do."""

    def __init__(self) -> None:
        super().__init__("The account does not exist any more.")


async def find(session: AsyncSession, customer_id: str, *, lock: bool = False) -> Customer:
    """Who changes what belongs to a customer locks them first: erasing waits for it, or has come before."""
    query = select(Customer).where(Customer.id == customer_id)
    customer = await session.scalar(query.with_for_update(key_share=True) if lock else query)
    if customer is None:
        raise CustomerNotFound
    if customer.status == CustomerStatus.ERASED:
        raise NoLongerCustomer
    return customer


async def show(session: AsyncSession, customer_id: str) -> CustomerView:
    return view(await find(session, customer_id))


async def change(session: AsyncSession, customer_id: str, wanted: ChangeProfile) -> CustomerView:
    """What is said again changes nothing, and nobody is told of it."""
    customer = await find(session, customer_id, lock=True)
    before = customer.name, customer.language
    customer.name = wanted.name or customer.name
    customer.language = wanted.language or customer.language
    if (customer.name, customer.language) != before:
        publish(session, known_as(customer))
    return view(customer)


def known_as(customer: Customer) -> CustomerChanged:
    return CustomerChanged(
        customer_id=customer.id, email=customer.email, name=customer.name, language=customer.language
    )


def view(customer: Customer) -> CustomerView:
    return CustomerView(
        customer_id=customer.id,
        email=customer.email,
        name=customer.name,
        language=customer.language,
        status=CustomerStatus(customer.status),
        email_verified=customer.email_verified,
        created_at=customer.created_at,
    )
