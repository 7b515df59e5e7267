"""Clients that left before their answer: what each server knows of it.

An application that does not call `receive()` never learns of it. So the server is asked, by what
its `receive` belongs to. Granian cannot be asked without waiting: there such a request keeps the
status that was sent to nobody.
"""

from vitalstream_metrics.asgi import Receive


def has_client_left(receive: Receive) -> bool:
    """Return whether the server has seen the client of a request leave."""
    server = getattr(receive, "__self__", None)
    if server is None:
        return False
    disconnected = getattr(server, "disconnected", None)  # uvicorn's RequestResponseCycle
    if disconnected is not None:
        return disconnected is True
    queue = getattr(server, "_queue", ())  # hypercorn's asyncio.Queue
    return any(message["type"] == "http.disconnect" for message in queue)
