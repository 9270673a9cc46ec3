"""Operations: backup, restore, the restore drill, and the check of a whole gallery.

What works inside one application is :attr:`mien.gallery.Gallery.archive`.
"""

from mien.gallery.operations.checking import Check, check, rebuild_index
from mien.gallery.operations.drilling import Drill, drill
from mien.gallery.operations.restoring import Restored, restore
from mien.gallery.operations.saving import BackedUp, backup
from mien.gallery.records.integrity import Fault

__all__ = [
    "BackedUp",
    "Check",
    "Drill",
    "Fault",
    "Restored",
    "backup",
    "check",
    "drill",
    "rebuild_index",
    "restore",
]
