"""Customers, carts, orders and payments: the orders of orderflow are its alone."""
