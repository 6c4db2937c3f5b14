"""Carriers: what they report of the parcels that they carry for us."""
