"""Spelling: what a message says where somebody named a thing that there is not."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["near", "no_such"]

_SPELLED = 60  # characters of a wrong name that a message repeats
_MANY = 40  # names that a message lists beside near ones


def near(name: object, known: Iterable[str]) -> list[str]:
    """Names of ``known`` that ``name`` may have been meant for, best first, three at most.

    Example:
        >>> near("YuNett", ["centerface", "yunet"])
        ['yunet']
    """
    import difflib  # only where something went wrong

    by_lower: dict[str, str] = {}
    for one in known:
        by_lower.setdefault(one.lower(), one)
    wanted = str(name)[:_SPELLED].lower()
    close = difflib.get_close_matches(wanted, by_lower, n=3)
    if len(wanted) > 2:
        close += [one for one in by_lower if one.startswith(wanted) and one not in close]
    return [by_lower[found] for found in close[:3]]


def no_such(kind: str, name: object, known: Iterable[str]) -> str:
    """What a message says where ``name`` is not among ``known``: near ones, and all.

    Of very many names only the near ones are told, where there are some.

    Example:
        >>> no_such("metric", "cosin", ["cosine", "angular"])
        "There is no metric 'cosin'. Did you mean cosine? There are: cosine, angular."
    """
    names = list(known)
    spelled = repr(name)
    if len(spelled) > _SPELLED:
        spelled = f"{spelled[:_SPELLED]}…"
    close = near(name, names)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    if close and len(names) > _MANY:
        return f"There is no {kind} {spelled}.{hint}"
    return f"There is no {kind} {spelled}.{hint} There are: {', '.join(names) or 'none'}."
