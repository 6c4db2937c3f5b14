"""The floor: the least code that makes the same HTTP call, rows and messages for an order, by hand and fast.

What it leaves out is what orderflow is for: it authenticates nobody, validates nothing, knows no idempotency keys,
keeps no audit and no traces, and tries nothing a second time. What an order means is the same: it is refused when
something is short, and nothing is sold twice.
"""
