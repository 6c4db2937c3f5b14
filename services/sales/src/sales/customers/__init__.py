"""Customers: who orders, and where to."""
