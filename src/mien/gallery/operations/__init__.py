"""Operations: backup, restore, the restore drill, and the check of a whole gallery.

What works inside one application is :attr:`mien.gallery.Gallery.archive`.
"""

from mien.gallery.operations.backup import BackedUp, backup
from mien.gallery.operations.restore import Restored, restore

__all__ = ["BackedUp", "Restored", "backup", "restore"]
