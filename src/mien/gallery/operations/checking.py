"""Check: whether a gallery is sound, from the database's file to the last template."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from mien.errors import GalleryUnavailable, InvalidArgument, KeyMismatch, NotFound
from mien.gallery.gallery import Gallery
from mien.gallery.model import Group
from mien.gallery.operations.samples import self_searches
from mien.gallery.records import audit, dump, groups, integrity
from mien.gallery.records.integrity import Fault
from mien.types import Result

__all__ = ["Check", "check", "rebuild_index", "views"]

MOST = 100
"""So many faults are listed; all are counted."""

_PAGE = 1000


@dataclass(slots=True)
class Check(Result):
    """What was checked, and what is wrong. ``bool(check)``: nothing is.

    Attributes:
        rows: rows of each table that is not empty.
        templates, images: how many opened and are sound.
        searched: templates that were searched for; each must find its own person first.
        log: entries of the audit log that are as they were written.
        faults: what is wrong; the first 100.
        count: how many faults there are.
        repaired: groups whose index was rebuilt.
    """

    rows: dict[str, int] = field(default_factory=dict)
    templates: int = 0
    images: int = 0
    searched: int = 0
    log: int = 0
    faults: list[Fault] = field(default_factory=list)
    count: int = 0
    repaired: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return not self.count

    def to_dict(self) -> dict[str, Any]:
        """``{"ok", ...}`` and all attributes."""
        return {"ok": bool(self), **asdict(self)}

    def _add(self, fault: Fault) -> None:
        self.count += 1
        if len(self.faults) < MOST:
            self.faults.append(fault)


def check(gallery: Gallery, *, samples: int = 100, repair: bool = False) -> Check:
    """Check a whole gallery, all applications, while it goes on serving.

    The database itself, references between rows, counters, every template and image (it opens with
    its key and has the length of its contract and 1), the index's snapshots against the records,
    the audit log of each application, and searches for stored templates.

    Args:
        gallery: any application's view of it.
        samples: templates of each group that are searched for, evenly from all; 0: none.
        repair: rebuild an index that is wrong. Nothing else is ever changed.

    Raises:
        KeyMissing: the master key is not at hand.
        InvalidArgument: ``samples`` is below 0.
    """
    if samples < 0:
        raise InvalidArgument("samples must be at least 0.")
    found = Check()
    with gallery._database.snapshot() as connection:
        found.rows = dump.counts(connection)
        for fault in (
            *integrity.database_faults(connection),
            *integrity.reference_faults(connection),
            *integrity.count_faults(connection),
        ):
            found._add(fault)
        for one in integrity.template_faults(connection):
            if isinstance(one, Fault):
                found._add(one)
            else:
                found.templates += one
        for one in integrity.image_faults(connection):
            if isinstance(one, Fault):
                found._add(one)
            else:
                found.images += one
    _check_log(gallery, found)
    for view in views(gallery):
        for group in _groups(view):
            _check_index(view, group, found, samples=samples, repair=repair)
    return found


def rebuild_index(gallery: Gallery, group: str | None = None) -> dict[str, bool]:
    """Fill the index of a group, or of all of an application, from the records alone.

    Searches here and in other processes go on; those read the new snapshot when they next start.

    Returns:
        Names of the groups, and whether each is kept between starts (a small one is not).

    Raises:
        NotFound: no such group.
    """
    names = [group] if group is not None else [one.name for one in _groups(gallery)]
    rebuilt = {}
    for name in names:
        with gallery._database.reading() as connection:
            row = gallery._group(connection, name)
        rebuilt[name] = gallery._searcher.rebuild(row)
    return rebuilt


def views(gallery: Gallery) -> Iterator[Gallery]:
    """Views of all applications."""
    after = None
    while page := gallery.applications(after=after, limit=_PAGE):
        for application in page:
            yield gallery.for_application(application.name)
        after = page[-1].name


def _groups(gallery: Gallery) -> Iterator[Group]:
    after = None
    while page := gallery.groups(after=after, limit=_PAGE):
        yield from page
        after = page[-1].name


def _check_log(gallery: Gallery, found: Check) -> None:
    numbers: list[tuple[int | None, str]] = [(None, "the whole gallery")]
    numbers += [(v._application.seq, v.application_name) for v in views(gallery)]
    for seq, name in numbers:
        with gallery._database.snapshot() as connection:
            entries, _, wrong = audit.verify(connection, seq)
        found.log += entries
        if wrong is not None:
            what = f"entry {wrong.seq} is {wrong.what}; {entries} before it are good"
            found._add(Fault("audit", what, name))


def _check_index(
    gallery: Gallery, group: Group, found: Check, *, samples: int, repair: bool
) -> None:
    """What is kept of a group's index, and searches in it."""
    faults, tried = _index_faults(gallery, group, samples)
    found.searched += tried
    if faults and repair:
        rebuild_index(gallery, group.name)
        faults, _ = _index_faults(gallery, group, samples)
        if not faults:
            found.repaired.append(group.name)
    for fault in faults:
        found._add(fault)


def _index_faults(gallery: Gallery, group: Group, samples: int) -> tuple[list[Fault], int]:
    faults: list[Fault] = []
    try:
        with gallery._database.snapshot() as connection:
            row = groups.find(connection, gallery._application.seq, group.name)
            wrong = gallery._searcher.fault(connection, row)
        if wrong is not None:
            faults.append(Fault("index", wrong, group.name))
        tried, lost = self_searches(gallery, group, count=samples)
    except NotFound:  # the group was deleted meanwhile
        return [], 0
    except (KeyMismatch, GalleryUnavailable) as error:  # a template is wrong, which is told before
        return [*faults, Fault("search", error.message, group.name)], 0
    if lost:
        faults.append(Fault("search", f"{lost} of {tried} find somebody else", group.name))
    return faults, tried
