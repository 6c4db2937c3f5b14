"""The warehouse's desk: what waits to be packed, lists of what to fetch for it, and dispatching many at once."""
