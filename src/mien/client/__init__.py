"""A typed client of the HTTP service, sync and async; it needs httpx and nothing else of Mien.

Answers are typed dictionaries, named as in the service's OpenAPI description.
"""

from mien.client.asynchronous import AsyncClient
from mien.client.sync import Client
from mien.client.wire import Photo, Retries

__all__ = ["AsyncClient", "Client", "Photo", "Retries"]
