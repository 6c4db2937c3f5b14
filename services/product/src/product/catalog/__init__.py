"""The catalogue: what can be bought, under which name and at what price."""
