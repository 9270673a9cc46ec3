"""Training: the only place where torch is imported (``mien[train]``), never at run time."""
