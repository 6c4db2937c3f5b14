"""Who may do what at Delivery: every route, for everybody."""

from chassis.keys import Signer
from services.delivery.tests.factories import DELIVERY_KEY, PEOPLE_KEY, TRACKED, Desk
from services.delivery.tests.factories_desk import Clerk
from tests.harness.access import World, as_everybody, table

ACCESS = table("""
    #                                                anonymous customer other warehouse admin service
    GET   /api/v1/shipments                                401      403   403       200   200     403
    GET   /api/v1/shipments/{shipment_id}                  401      403   403       200   200     403
    POST  /api/v1/shipments/{shipment_id}/dispatch         401      403   403       200   200     403
    POST  /api/v1/shipments/dispatches                     401      403   403       200   200     403
    GET   /api/v1/work-list                                401      403   403       200   200     403
    GET   /api/v1/pick-lists                               401      403   403       200   200     403
    POST  /api/v1/pick-lists                               401      403   403       201   201     403
    GET   /api/v1/pick-lists/{pick_list_id}                401      403   403       200   200     403
    POST  /api/v1/pick-lists/{pick_list_id}/release        401      403   403       200   200     403
    GET   /api/v1/shipments/{shipment_id}/timeline         401      403   403       200   200     403
    POST  /api/v1/shipments/{shipment_id}/split            401      403   403       201   201     403
    # Allowed to staff, but not with a parcel that has not left.
    POST  /api/v1/shipments/{shipment_id}/delivery         401      403   403       409   409     403
    POST  /api/v1/shipments/{shipment_id}/loss             401      403   403       409   409     403
    POST  /api/v1/shipments/{shipment_id}/return           401      403   403       409   409     403
    POST  /api/v1/shipments/{shipment_id}/sending-again    401      403   403       409   409     403
    GET   /api/v1/carrier-reports                          401      403   403       200   200     403
    GET   /api/v1/carrier-reports/{report_id}              401      403   403       200   200     403
    POST  /api/v1/carrier-reports/{report_id}/retry        401      403   403       200   200     403
    # For whoever can sign: no token says so.
    POST  /api/v1/carrier-webhooks/{carrier}               401      401   401       401   401     401
    GET   /api/v1/audit                                    401      403   403       403   200     403
""")


async def test_every_route_answers_everybody_as_the_table_says(desk: Desk) -> None:
    async def build(world: World) -> None:
        await desk.ready()
        taken = await Clerk(desk).takes(size=1)
        await desk.reports({"type": "parcel.lost", "data": {"tracking_number": "TRK-OF-NOBODY"}})
        [report] = (await desk.heard()).json()["items"]
        shipment = await desk.ready()
        world.names = {
            "shipment_id": str(shipment["shipment_id"]),
            "pick_list_id": taken["pick_list_id"],
            "carrier": "FedEx",
            "report_id": report["report_id"],
        }

    headers = as_everybody(Signer(PEOPLE_KEY), Signer(DELIVERY_KEY), "delivery")
    bodies = {
        "POST /api/v1/shipments/{shipment_id}/dispatch": TRACKED,
        "POST /api/v1/shipments/dispatches": {"shipments": [{"shipment_id": "{shipment_id}", **TRACKED}]},
        "POST /api/v1/shipments/{shipment_id}/split": {"items": [{"product_id": "product_456", "quantity": 1}]},
        "POST /api/v1/shipments/{shipment_id}/loss": {"reason": "The carrier says so."},
        "POST /api/v1/shipments/{shipment_id}/return": {"reason": "Nobody at home."},
        "POST /api/v1/pick-lists": {"size": 1},
        "POST /api/v1/carrier-webhooks/{carrier}": {"type": "delivered", "data": {}},
    }

    answers, offences = await World(desk.service.app(), desk.database, headers, build, bodies).walk()

    assert answers == ACCESS
    assert offences == []
