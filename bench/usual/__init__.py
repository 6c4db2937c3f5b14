"""The usual way to write the same four services: as a good team does that has read the frameworks' documentation.

FastAPI with declared bodies, an ORM session per request, httpx between the services, an outbox table that a background
task polls, and consumers with one transaction per message. An outbox, and not publishing after the commit, because a
message that is lost with its process is what people meet outboxes for; polled and sent one by one with confirms,
because that is how libraries and tutorials do it. Connections are pooled, there is one HTTP client per process, and
uvicorn has uvloop and httptools.
"""
