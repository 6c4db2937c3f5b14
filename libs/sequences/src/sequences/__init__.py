"""Sequence designs: read, checked, compared with what really happens, and drawn."""
