"""Protection of templates: keys, sealing, and the rotation of what leaves the process.

Nothing in here knows SQL or faces: keys and bytes go in, bytes come out. ::

    master key (environment, file or KMS)
      └─ wraps  application data key
                  ├─ wraps  person key ── seals templates and crops of one person
                  ├─ seals  the index snapshot, in blocks
                  └─ wraps  rotation seed ── turns the vectors that another system stores
"""

from mien.gallery.protect.master import KeyRing, KeyWrapper, key_ring
from mien.gallery.protect.rotation import rotation
from mien.gallery.protect.sealing import KEY_BYTES, new_key, open_sealed, seal

__all__ = [
    "KEY_BYTES",
    "KeyRing",
    "KeyWrapper",
    "key_ring",
    "new_key",
    "open_sealed",
    "rotation",
    "seal",
]
