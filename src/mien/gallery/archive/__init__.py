"""Archives: an application's groups in one encrypted file that any other gallery can take in.

:attr:`mien.gallery.Gallery.archive` writes and reads them; backups of a whole gallery are
:mod:`mien.gallery.operations`. The format is in docs/reference/operations.md.
"""

from mien.gallery.archive.archives import Archives, Exported, inspect
from mien.gallery.archive.importing import Imported, OnConflict
from mien.gallery.archive.target import new_file, open_file
from mien.gallery.protect.stream import Passphrase

__all__ = [
    "Archives",
    "Exported",
    "Imported",
    "OnConflict",
    "Passphrase",
    "inspect",
    "new_file",
    "open_file",
]
