"""A carrier that is played, from outside of the service: it reports as carriers do at their worst."""
