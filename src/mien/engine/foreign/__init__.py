"""Galleries of other programs: read as data, never run, and taken into a gallery of Mien's."""

from mien.engine.foreign.arrays import faces_in_arrays
from mien.engine.foreign.compreface import CompreFaceDump
from mien.engine.foreign.deepface import Datastore, datastores, photos_of_database
from mien.engine.foreign.faces import ForeignFace
from mien.engine.foreign.taking import take_each

__all__ = [
    "CompreFaceDump",
    "Datastore",
    "ForeignFace",
    "datastores",
    "faces_in_arrays",
    "photos_of_database",
    "take_each",
]
