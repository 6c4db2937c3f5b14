"""Tracking: where the parcels of an order are, as far as Delivery has told."""
