"""Customers as far as mail goes: their address, their language, and what they want to be told."""
