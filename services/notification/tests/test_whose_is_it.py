"""Who may do what at Notification: every route, for everybody; and nobody wants or waits in another's name."""

from chassis.keys import Signer
from services.notification.tests.factories import NOTIFICATION_KEY, PEOPLE_KEY, PostOffice, a_letter
from services.notification.tests.factories_messages import asks_for, registered, told, turns_off
from tests.harness.access import CUSTOMER, World, as_everybody, table

ACCESS = table("""
    #                                           anonymous customer other warehouse admin service
    GET    /api/v1/mails                              401      403   403       403   200     403
    GET    /api/v1/mails/{mail_id}                    401      403   403       403   200     403
    # It has not failed.
    POST   /api/v1/mails/{mail_id}/sending            401      403   403       403   409     403

    # Everybody has preferences and wishes of their own.
    GET    /api/v1/mail-preferences                   401      200   200       403   403     403
    PUT    /api/v1/mail-preferences                   401      200   200       403   403     403
    GET    /api/v1/back-in-stock                      401      200   200       403   403     403
    PUT    /api/v1/back-in-stock/{product_id}         401      200   200       403   403     403
    DELETE /api/v1/back-in-stock/{product_id}         401      204   204       403   403     403

    # For whoever has the mail: who is logged in makes no difference, and nobody here has one.
    GET    /api/v1/unsubscribe                        400      400   400       400   400     400
    POST   /api/v1/unsubscribe                        400      400   400       400   400     400

    GET    /api/v1/audit                              401      403   403       403   200     403
""")


async def test_every_route_answers_everybody_as_the_table_says(office: PostOffice) -> None:
    async def build(world: World) -> None:
        await office.hear(told(registered(CUSTOMER)))
        await office.write(a_letter(CUSTOMER))
        await asks_for(office, "mug", by=CUSTOMER)
        await turns_off(office, "order_progress", by=CUSTOMER)
        world.names = {"mail_id": str((await office.mails())[0]["id"]), "product_id": "mug"}

    headers = as_everybody(Signer(PEOPLE_KEY), Signer(NOTIFICATION_KEY), "notification")
    bodies = {"PUT /api/v1/mail-preferences": {"unwanted": ["return_progress"]}}

    answers, offences = await World(office.service.app(), office.database, headers, build, bodies).walk()

    assert answers == ACCESS
    assert offences == []
