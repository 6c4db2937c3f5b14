"""Payments: authorised, captured and given back at a gateway, each request written down before it is made."""
