"""The HTTP service: ``/v1``, its documentation and the web page.

Imported only by those who serve: FastAPI and uvicorn live under this package alone.
"""

from mien.service.app import create_app
from mien.service.server import serve

__all__ = ["create_app", "serve"]
