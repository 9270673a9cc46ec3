"""Jobs: one worker at a time, items once, nothing of another application."""

from __future__ import annotations

import threading
import time

import pytest

from mien.errors import LimitExceeded, NotFound
from mien.gallery import Gallery
from mien.gallery.jobs import JobItem, Jobs, waiting_jobs


def item(number, state="enrolled"):
    return JobItem(number, f"{number}.png", "ann", state, ("no_face",), "why", None, None)


def test_a_job_from_its_beginning_to_its_end(gallery):
    jobs = Jobs(gallery)
    made = jobs.create("enroll", options={"group": "staff"}, total=3)
    assert (made.state, jobs.job(made.id)) == ("queued", made)
    assert waiting_jobs(gallery) == [("default", made.id)]
    taken = jobs.claim(made.id, "a")
    assert taken is not None
    assert taken.state == "running"
    assert waiting_jobs(gallery) == []
    jobs.record(made.id, "a", [item(0), item(1, "rejected")])
    again = jobs.record(made.id, "a", [item(1), item(2)])
    assert again is not None
    assert (again.done, again.rejected) == (3, 1)
    assert [one.state for one in jobs.items(made.id)] == ["enrolled", "rejected", "enrolled"]
    assert jobs.items(made.id, after=1) == [item(2)]
    ended = jobs.finish(made.id, "a")
    assert ended is not None
    assert ended == jobs.job(made.id)
    assert (ended.state, ended.finished_at is not None) == ("done", True)
    assert jobs.claim(made.id, "a") is None
    assert jobs.record(made.id, "a", [item(3)]) is None


def test_one_of_many_workers_gets_it(gallery, url):
    made = Jobs(gallery).create("enroll", options={}, total=1)
    got = []

    def work(name):
        with Gallery.open(url) as own:
            if Jobs(own).claim(made.id, name) is not None:
                got.append(name)

    threads = [threading.Thread(target=work, args=(f"w{i}",)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert Jobs(gallery).record(made.id, "somebody", [item(0)]) is None
    assert Jobs(gallery).job(made.id).done == 0


def test_a_lease_ends_and_the_late_worker_writes_nothing(gallery):
    short, jobs = Jobs(gallery, lease_s=0.05), Jobs(gallery)
    made = jobs.create("enroll", options={}, total=2)
    assert short.claim(made.id, "slow") is not None
    time.sleep(0.1)
    assert waiting_jobs(gallery) == [("default", made.id)]
    assert short.record(made.id, "slow", [item(0)]) is None
    assert jobs.claim(made.id, "quick") is not None
    assert short.finish(made.id, "slow") is None
    assert jobs.record(made.id, "quick", [item(0)]) is not None
    jobs.release(made.id, "slow")
    assert jobs.claim(made.id, "third") is None
    jobs.release(made.id, "quick")
    third = jobs.claim(made.id, "third")
    assert third is not None
    assert third.done == 1


def test_cancel_stops_and_then_deletes(gallery):
    jobs = Jobs(gallery)
    made = jobs.create("enroll", options={}, total=2)
    jobs.claim(made.id, "a")
    jobs.record(made.id, "a", [item(0)])
    assert jobs.cancel(made.id).state == "cancelled"
    assert jobs.record(made.id, "a", [item(1)]) is None
    assert jobs.finish(made.id, "a") is None
    assert jobs.job(made.id).done == 1
    jobs.cancel(made.id)
    with pytest.raises(NotFound):
        jobs.job(made.id)


def test_unfinished_jobs_at_the_limit_and_one_more(gallery):
    jobs = Jobs(gallery)
    made = [jobs.create("enroll", options={}, total=1, limit=2) for _ in range(2)]
    with pytest.raises(LimitExceeded):
        jobs.create("enroll", options={}, total=1, limit=2)
    jobs.cancel(made[0].id)
    jobs.create("enroll", options={}, total=1, limit=2)


def test_purge_keeps_what_is_unfinished_or_young(gallery):
    jobs = Jobs(gallery)
    ended, open_ = (jobs.create("enroll", options={}, total=1) for _ in range(2))
    jobs.claim(ended.id, "a")
    jobs.record(ended.id, "a", [item(0)])
    jobs.finish(ended.id, "a", state="failed", error="why")
    assert jobs.purge(older_than_s=60) == 0
    assert jobs.purge(older_than_s=-1) == 1
    assert [job.id for job in jobs.jobs()] == [open_.id]


def test_another_application_sees_nothing(gallery):
    gallery.create_application("other")
    made = Jobs(gallery).create("enroll", options={}, total=1)
    other = Jobs(gallery.for_application("other"))
    assert other.jobs() == []
    for ask in (other.job, other.items, other.cancel, lambda one: other.claim(one, "a")):
        with pytest.raises(NotFound):
            ask(made.id)
    assert other.secret() != Jobs(gallery).secret()


def test_jobs_in_pages(gallery):
    jobs = Jobs(gallery)
    made = {jobs.create("enroll", options={"n": i}, total=i).id for i in range(5)}
    first = jobs.jobs(limit=3)
    rest = jobs.jobs(after=first[-1].id, limit=3)
    assert {job.id for job in first + rest} == made
    assert len(rest) == 2
