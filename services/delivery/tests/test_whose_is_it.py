"""Who may do what at Delivery: every route, for everybody."""

from chassis.keys import Signer
from services.delivery.tests.factories import DELIVERY_KEY, PEOPLE_KEY, TRACKED, Desk
from tests.harness.access import World, as_everybody, table

ACCESS = table("""
    #                                                anonymous customer other warehouse admin service
    GET   /api/v1/shipments                                401      403   403       200   200     403
    GET   /api/v1/shipments/{shipment_id}                  401      403   403       200   200     403
    POST  /api/v1/shipments/{shipment_id}/dispatch         401      403   403       200   200     403
    # Allowed to staff, but not with a parcel that has not left.
    POST  /api/v1/shipments/{shipment_id}/delivery         401      403   403       409   409     403
    # For whoever can sign: no token says so.
    POST  /api/v1/carrier-webhooks/{carrier}               401      401   401       401   401     401
    GET   /api/v1/audit                                    401      403   403       403   200     403
""")


async def test_every_route_answers_everybody_as_the_table_says(desk: Desk) -> None:
    async def build(world: World) -> None:
        shipment = await desk.ready()
        world.names = {"shipment_id": str(shipment["shipment_id"]), "carrier": "FedEx"}

    headers = as_everybody(Signer(PEOPLE_KEY), Signer(DELIVERY_KEY), "delivery")
    bodies = {
        "POST /api/v1/shipments/{shipment_id}/dispatch": TRACKED,
        "POST /api/v1/carrier-webhooks/{carrier}": {"type": "delivered", "data": {}},
    }

    answers, offences = await World(desk.service.app(), desk.database, headers, build, bodies).walk()

    assert answers == ACCESS
    assert offences == []
