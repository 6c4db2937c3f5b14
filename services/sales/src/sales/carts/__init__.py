"""Carts: what a customer, or a guest, is about to order."""
