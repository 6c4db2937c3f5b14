"""The public language of orderflow: events, API bodies, statuses and error codes."""
