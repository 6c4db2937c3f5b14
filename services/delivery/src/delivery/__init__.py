"""Shipments and carriers: the parcels of orderflow are its alone."""
