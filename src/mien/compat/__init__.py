"""Other libraries' Python APIs over Mien's engine and gallery.

>>> from mien.compat import deepface as DeepFace
>>> DeepFace.verify("a.jpg", "b.jpg")["verified"]      # doctest: +SKIP
True
"""
