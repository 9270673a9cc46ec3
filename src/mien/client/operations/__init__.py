"""The operations of ``/v1``, one module per noun, for both clients."""

from __future__ import annotations

from mien.client.operations.curation import Curation
from mien.client.operations.faces import Faces
from mien.client.operations.groups import Groups
from mien.client.operations.jobs import JobOperations
from mien.client.operations.persons import Persons
from mien.client.operations.photos import Photos
from mien.client.operations.rights import Rights
from mien.client.operations.search import Search
from mien.client.operations.server import Server
from mien.client.operations.sessions import Sessions

__all__ = ["Operations"]


class Operations(
    Photos,
    Sessions,
    Groups,
    Search,
    Persons,
    Faces,
    Curation,
    JobOperations,
    Rights,
    Server,
):
    """Every operation that is one request, or a list; see the modules."""
