"""Sales: what it serves, what it reacts to, what it runs."""

from datetime import timedelta
from functools import partial
from pathlib import Path

from chassis.auth import Auth, KeyRing, ServiceCredential, Signer
from chassis.broker import Broker
from chassis.db import Database
from chassis.jobs import Job
from chassis.peer import Peer
from chassis.service import Service
from contracts.delivery.shipments import OrderStatusUpdated, ShipmentUpdated
from contracts.mail_tokens import MailPurpose
from contracts.product.inventory import InventoryReleased

from .carts.api import guest_carts
from .carts.api import router as carts
from .carts.expiry import clean_up
from .carts.offers import Offers
from .carts.shopping import Shopping
from .carts.viewing import PATIENCE, Viewing
from .customers.accounts_api import router as accounts
from .customers.changing_passwords import PasswordChanges
from .customers.forgetting import forget_what_is_over
from .customers.log_in import LogIns
from .customers.mail_requests import answer_mail_requests
from .customers.mail_tokens import MailTokens
from .customers.passwords import OWASP, Cost, Passwords
from .customers.published_keys import PublishedKeys
from .customers.published_keys import router as keys
from .customers.registration import Registration
from .customers.sessions_api import router as sessions
from .orders.api import PATH as ORDERS
from .orders.api import place_order_directly
from .orders.api import router as orders
from .orders.cancelling import Cancelling
from .orders.checkout import CheckingOut
from .orders.checkout_api import router as checkout
from .orders.confirming import Confirming, confirm_paid
from .orders.old_history import forget_old_history
from .orders.placing import Placing
from .orders.reactions import follow_shipments
from .orders.stock import Stock
from .orders.stuck_api import router as stuck_attempts
from .orders.undoing import Undoing, forget_old_attempts
from .payments.api import router as payments
from .payments.making import make_payments
from .profile.api import router as profile
from .profile.erasing import Erasing
from .profile.introducing import introduce_customers
from .returns.api import ReturnPolicy, returns_of_orders
from .returns.api import router as returns
from .returns.receiving import Receiving
from .returns.refunding import Refunding
from .returns.shelf import Shelf
from .settings import SalesSettings
from .tracking.api import tracking_of_orders
from .tracking.reactions import follow_parcels

NAME = "sales"
MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: SalesSettings, broker: Broker, *, hashing: Cost = OWASP) -> Service:
    database = Database(settings.database_url.get_secret_value(), application_name=NAME, pool_size=settings.pool_size)
    credential = ServiceCredential(Signer(settings.signing_key.get_secret_value()), NAME)
    product = Peer("product", settings.product_url, credential, timeout=settings.product_timeout)
    glance = Peer("product", settings.product_url, credential, timeout=min(PATIENCE, settings.product_timeout))
    stock = Stock(product)
    placing = Placing(database, stock)
    paying = make_payments(settings.payments, database, on_captured=confirm_paid)
    undoing = Undoing(database, stock, paying.payments, settings.undo_attempts_after)
    checking_out = CheckingOut(database, stock, paying.payments, undoing, settings.shipping)
    cancelling = Cancelling(database, stock, paying.payments)
    receiving = Receiving(database, Shelf(product))
    refunding = Refunding(database, paying.payments)
    unpaid = partial(cancelling.cancel_unpaid, settings.payments.unpaid_after)
    shopping = Shopping(database, Offers(product))
    viewing = Viewing(database, Offers(glance))
    passwords = Passwords(hashing)
    lives = {
        MailPurpose.VERIFICATION: settings.accounts.verification_lives,
        MailPurpose.PASSWORD_RESET: settings.accounts.reset_lives,
    }
    mail_tokens = MailTokens(settings.accounts.mail_secret, lives)
    registration = Registration(passwords, mail_tokens)
    log_ins = LogIns(database, passwords, settings.accounts)
    password_changes = PasswordChanges(database, passwords)
    erasing = Erasing(database, passwords)
    mail = partial(answer_mail_requests, database, mail_tokens)
    forget = partial(forget_old_attempts, database, settings.forget_keys_after)
    histories = []
    if settings.history_kept is not None:
        run = partial(forget_old_history, database, settings.history_kept)
        histories = [Job("forget_old_history", every=timedelta(hours=1), run=run)]
    return Service(
        name=NAME,
        database=database,
        broker=broker,
        auth=Auth(KeyRing(settings.trusted_keys), audience=NAME),
        migrations=MIGRATIONS,
        routers=[
            orders,
            tracking_of_orders,
            checkout,
            stuck_attempts,
            returns_of_orders,
            returns,
            payments,
            carts,
            guest_carts,
            accounts,
            sessions,
            profile,
            keys,
        ],
        reactions={
            InventoryReleased: cancelling.hear,
            OrderStatusUpdated: follow_shipments,
            ShipmentUpdated: follow_parcels,
        },
        jobs=[
            Job("undo_stopped_attempts", every=timedelta(seconds=2), run=undoing.undo_stopped),
            Job("cancel_unpaid", every=timedelta(minutes=1), run=unpaid),
            Job("finish_cancellations", every=timedelta(seconds=2), run=cancelling.finish_stopped, everywhere=True),
            Job("finish_receipts", every=timedelta(seconds=2), run=receiving.finish_stopped, everywhere=True),
            Job("finish_refunds", every=timedelta(seconds=2), run=refunding.finish_stopped, everywhere=True),
            Job("forget_old_attempts", every=timedelta(hours=1), run=forget),
            *histories,
            Job("answer_mail_requests", every=timedelta(seconds=1), run=mail, everywhere=True),
            Job("introduce_customers", every=timedelta(hours=1), run=partial(introduce_customers, database)),
            Job("forget_what_is_over", every=timedelta(hours=1), run=partial(forget_what_is_over, database)),
            *paying.jobs,
            Job("clean_up_carts", at=settings.carts.cleanup_at, run=partial(clean_up, database, settings.carts)),
        ],
        provides=[
            placing,
            checking_out,
            cancelling,
            Confirming(database, paying.payments),
            *paying.provides,
            receiving,
            refunding,
            ReturnPolicy(settings.shipping.returns_within),
            shopping,
            viewing,
            registration,
            log_ins,
            password_changes,
            erasing,
            PublishedKeys(settings.trusted_keys),
        ],
        shortcuts={("POST", ORDERS): place_order_directly},
        closes=[placing, checking_out, paying.pursuit, viewing, passwords],
        role=settings.role,
        retention=settings.retention,
    )
