"""A call that is taken away, put elsewhere or added in the code fails the walk of its sequence, which names the arrow.

The source is changed really, in a copy. All mutants of one kind live in one process, each on a walk of its own.
"""

from pathlib import Path

import pytest

from tests.harness.postgres import PostgresServer

from .mutating import Mutant, SourceHasMovedOn, change, copied, walked

A_CATEGORY = "test_catalogue.py::test_a_category_stands_in_the_tree"
A_TAKEN_NAME = "test_catalogue.py::test_a_name_of_a_category_is_taken_once"
A_PRODUCT = "test_catalogue.py::test_a_product_is_in_the_catalogue_with_its_stock"
A_DEACTIVATION = "test_catalogue.py::test_a_deactivated_product_is_gone_from_the_catalogue"
A_VARIANT = "test_catalogue.py::test_a_variant_can_be_had_as_far_as_its_own_stock_goes"
A_PRICE = "test_catalogue.py::test_a_changed_price_is_shown_and_the_previous_one_kept"
A_RESTOCK = "test_stock.py::test_what_was_taken_in_can_be_had_and_is_on_record"
PUT_IN = "test_carts.py::test_what_is_put_in_is_in_the_cart_with_the_new_total"
CHANGED = "test_carts.py::test_another_quantity_gives_another_total"
NOT_THERE = "test_carts.py::test_what_is_not_in_the_cart_has_no_quantity"
TAKEN_OUT = "test_carts.py::test_what_is_taken_out_is_gone"
CLEANED_UP = "test_carts.py::test_expired_carts_are_gone_after_midnight"
AN_ORDER = "test_checkout.py::test_what_is_in_the_cart_is_ordered_and_the_cart_empty"
UNVERIFIED = "test_checkout.py::test_whose_e_mail_is_not_verified_cannot_check_out"
A_DISPATCH = "test_shipping.py::test_a_dispatched_order_is_shipped_and_its_customer_told"
STOCK_IS_BACK = "test_shipping.py::test_a_parcel_whose_stock_was_given_back_does_not_leave"
SOLD_OUT = "test_selling_out.py::test_operations_are_told_that_the_last_piece_is_gone"

KINDS: dict[str, list[Mutant]] = {
    "calls taken away": [
        Mutant(
            "product/categories/commands.py",
            "    await _validate_unique_name(session, body.name)\n",
            "",
            A_CATEGORY,
            "missing: step 2, CategoryService → CategoryAggregate: validateUniqueName",
        ),
        Mutant(
            "product/catalog/creating.py",
            "    await validate_category(session, body.category_id)\n",
            "",
            A_PRODUCT,
            "missing: step 3, ProductService → CategoryService: validateCategory",
        ),
        Mutant(
            "product/catalog/variants.py",
            "    await _create_variant_inventory(session, variant, body.initial_stock, by)\n",
            "",
            A_VARIANT,
            "missing: step 4, ProductService → InventoryService: createVariantInventory",
        ),
        Mutant(
            "product/catalog/pricing.py",
            "        log_price_change(session, reprice(session, product, price, by))\n",
            "        reprice(session, product, price, by)\n",
            A_PRICE,
            "missing: step 5, ProductService → AuditLog: logPriceChange",
        ),
        Mutant(
            "product/inventory/warehousing.py",
            '    _note(session, "stock.restocked", shelf, count, cause, by)\n',
            "",
            A_RESTOCK,
            "missing: step 3, InventoryService → AuditLog: logAuditEvent",
        ),
        # Across HTTP: Product is not asked any more.
        Mutant(
            "sales/carts/shopping.py",
            "offer = await self._offers.offer_for(RequestedItem.model_validate(wanted.model_dump()))",
            'offer = Offer(wanted.product_id, wanted.variant_id, "A mug", 1400, "EUR", 100)',
            PUT_IN,
            "missing: step 2, CartService → InventoryService: checkAvailability",
        ),
        Mutant(
            "sales/carts/expiry.py",
            "        log_cleanup_result(deleting.deleted, sum(map(len, deleting.failed)))\n",
            "        pass\n",
            CLEANED_UP,
            "missing: step 4, CartService → Logger: logCleanupResult",
        ),
        Mutant(
            "sales/orders/checkout.py",
            "        await take_out_ordered(session, order.customer_id, ordered)\n",
            "",
            AN_ORDER,
            "missing: step 12, OrderService → CartService: clearCart",
        ),
        # Across HTTP: Delivery does not have the stock deducted.
        Mutant(
            "delivery/shipments/dispatching.py",
            "await self._stock.deduct([shipment.reservation_id for shipment in claimed])",
            "{shipment.reservation_id: ReservationState.DEDUCTED for shipment in claimed}",
            A_DISPATCH,
            "missing: step 2, OrderService → InventoryService: deductInventory",
        ),
        # Across the broker: Notification hears of it and does something else.
        Mutant(
            "notification/reactions.py",
            "    OutOfStock: handle_out_of_stock,\n",
            "    OutOfStock: tell_operations(catalogue.OUT_OF_STOCK),\n",
            SOLD_OUT,
            "missing: step 2, NotificationService → NotificationService: handleOutOfStock",
        ),
    ],
    "calls put elsewhere": [
        Mutant(
            "product/categories/commands.py",
            "    await _validate_unique_name(session, body.name)\n"
            "    depth = await _validate_hierarchy_depth(session, body.parent_id, deepest)\n",
            "    depth = await _validate_hierarchy_depth(session, body.parent_id, deepest)\n"
            "    await _validate_unique_name(session, body.name)\n",
            A_CATEGORY,
            "reordered: step 3, CategoryService → CategoryService: validateHierarchyDepth",
        ),
        Mutant(
            "product/catalog/creating.py",
            "    _validate_product(body)\n    await validate_category(session, body.category_id)\n",
            "    await validate_category(session, body.category_id)\n    _validate_product(body)\n",
            A_PRODUCT,
            "reordered: step 3, ProductService → CategoryService: validateCategory",
        ),
        Mutant(
            "product/catalog/pricing.py",
            "    _validate_price(body.price)\n"
            "    product = await _with_previous_price(session, product_id)\n"
            "    if (price := in_minor_units(body.price))",
            "    product = await _with_previous_price(session, product_id)\n"
            "    _validate_price(body.price)\n"
            "    if (price := in_minor_units(body.price))",
            A_PRICE,
            "reordered: step 3, ProductService → ProductAggregate: getPreviousPrice",
        ),
        Mutant(
            "sales/orders/baskets.py",
            "    await _validate_customer(session, customer_id)\n    items = await _get_cart(session, customer_id)\n",
            "    items = await _get_cart(session, customer_id)\n    await _validate_customer(session, customer_id)\n",
            AN_ORDER,
            "reordered: step 3, OrderService → CartService: getCart",
        ),
        Mutant(
            "delivery/shipments/shipping.py",
            "            _ship(session, shipment, parcels, now)\n            done = {",
            '            record(session, by, "shipment.dispatched", shipment.id)\n'
            "            _ship(session, shipment, parcels, now)\n"
            "            return shipment\n"
            "            done = {",
            A_DISPATCH,
            "reordered: step 4, OrderService → AuditLog: logAuditEvent",
        ),
    ],
    "calls added": [
        Mutant(
            "product/catalog/changing.py",
            "    if not _deactivate(session, product):\n",
            '    record(session, by, "product.looked_at", product.id)\n    if not _deactivate(session, product):\n',
            A_DEACTIVATION,
            "extra: ProductService → AuditLog: logAuditEvent",
        ),
        # Across HTTP: Product is asked twice.
        Mutant(
            "sales/carts/shopping.py",
            "        offer = await self._offers.offer_for(wanted)\n",
            "        await self._offers.offer_for(wanted)\n        offer = await self._offers.offer_for(wanted)\n",
            CHANGED,
            "extra: CartService → InventoryService: checkAvailability",
        ),
        # Across the broker: Notification does something that nobody has designed.
        Mutant(
            "notification/reactions.py",
            "async def grant_wishes(",
            '@step("NotificationService", "grantWishes")\nasync def grant_wishes(',
            A_RESTOCK,
            "extra: NotificationService → NotificationService: grantWishes",
        ),
        Mutant(
            "delivery/shipments/reactions.py",
            "    await prepare(session, new)\n",
            '    record(session, _SALES, "shipment.heard_of", created[0].event.order_id)\n'
            "    await prepare(session, new)\n",
            AN_ORDER,
            "extra: DeliveryService → AuditLog: logAuditEvent",
        ),
    ],
    "events that are emitted no more": [
        Mutant(
            "sales/carts/commands.py",
            "    publish(session, ItemRemovedFromCart(**_of(cart, item), quantity=item.quantity))\n",
            "",
            TAKEN_OUT,
            "event: step 2, CartService → CartAggregate: removeItem (emits nothing, not ItemRemovedFromCart)",
        ),
        Mutant(
            "sales/carts/commands.py",
            "    _tell_added(session, cart, item, quantity)\n",
            "",
            PUT_IN,
            "event: step 3, CartService → CartAggregate: addItem (emits nothing, not ItemAddedToCart)",
        ),
        Mutant(
            "product/catalog/changing.py",
            "    publish(session, ProductDeactivated(product_id=product.id))\n",
            "",
            A_DEACTIVATION,
            "event: step 2, ProductService → ProductAggregate: deactivate (emits nothing, not ProductDeactivated)",
        ),
        Mutant(
            "product/inventory/warehousing.py",
            "    publish(\n        session,\n        InventoryRestocked(",
            "    _ = (\n        session,\n        InventoryRestocked(",
            A_RESTOCK,
            "event: step 2, InventoryService → InventoryAggregate: restock (emits nothing, not InventoryRestocked)",
        ),
        Mutant(
            "sales/carts/commands.py",
            "        events = [CartCleared(cart_id=cart.id, customer_id=cart.customer_id, item_count=len(touched))]\n",
            "        events = []\n",
            AN_ORDER,
            "event: step 12, OrderService → CartService: clearCart (emits nothing, not CartCleared)",
        ),
    ],
    "other errors": [
        Mutant(
            "product/categories/commands.py",
            "is not None:\n        raise DuplicateCategoryName\n",
            "is not None:\n        raise InvalidCategory\n",
            A_TAKEN_NAME,
            (
                "error: step 1, Admin → CategoryService: createCategory"
                " (ends with INVALID_CATEGORY, not DUPLICATE_CATEGORY_NAME)",
                "error: step 2, CategoryService → CategoryAggregate: validateUniqueName"
                " (ends with INVALID_CATEGORY, not DUPLICATE_CATEGORY_NAME)",
            ),
        ),
        Mutant(
            "sales/carts/model.py",
            "            raise ItemNotFound\n",
            '            raise NotFound("Nothing.")\n',
            NOT_THERE,
            "error: step 1, Customer → CartService: updateQuantity (ends with NOT_FOUND, not ITEM_NOT_FOUND)",
        ),
        Mutant(
            "sales/orders/baskets.py",
            "    if not is_verified:\n        raise EmailNotVerified\n",
            "    if not is_verified:\n        raise RegistrationRequired\n",
            UNVERIFIED,
            (
                "error: step 1, Customer → OrderService: placeOrder"
                " (ends with REGISTRATION_REQUIRED, not EMAIL_NOT_VERIFIED)",
                "error: step 2, OrderService → CustomerService: validateCustomer"
                " (ends with REGISTRATION_REQUIRED, not EMAIL_NOT_VERIFIED)",
            ),
        ),
        Mutant(
            "delivery/shipments/shipping.py",
            "            refused = ReservationReleased()\n",
            "            refused = NotReserved()\n",
            STOCK_IS_BACK,
            "error: step 1, WarehouseStaff → OrderService: shipOrder (ends with CONFLICT, not RESERVATION_RELEASED)",
        ),
    ],
}
EVERYTHING = [mutant for mutants in KINDS.values() for mutant in mutants]


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_source_fails_its_walk_which_names_the_arrow(
    kind: str, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    mutants = KINDS[kind]
    copied({mutant.package for mutant in mutants}, tmp_path)
    for mutant in mutants:
        change(tmp_path, mutant)

    differences = walked([mutant.walk for mutant in mutants], tmp_path, postgres_server.url("postgres"))

    assert differences == {mutant.walk: mutant.differences for mutant in mutants}


def test_a_copy_that_nobody_has_changed_passes(tmp_path: Path, postgres_server: PostgresServer) -> None:
    copied({mutant.package for mutant in EVERYTHING}, tmp_path)

    differences = walked(sorted({mutant.walk for mutant in EVERYTHING}), tmp_path, postgres_server.url("postgres"))

    assert set(differences.values()) == {None}


def test_a_change_of_what_is_not_there_any_more_is_an_error(tmp_path: Path) -> None:
    copied({"product"}, tmp_path)
    old = Mutant("product/catalog/creating.py", "    never_was_there()\n", "", A_PRODUCT, "")

    with pytest.raises(SourceHasMovedOn, match=r"creating\.py has 0 times:     never_was_there\(\)"):
        change(tmp_path, old)
