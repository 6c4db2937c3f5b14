"""Shipments: prepared when an order is created, dispatched, and followed until they are delivered."""
