"""The gallery against a model of it: any sequence of operations, in every kind of database."""

import copy
import os
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from mien.errors import AlreadyExists, EmbeddingMismatch, InvalidArgument, LimitExceeded, NotFound
from mien.gallery import Gallery, GalleryLimits, mean_template
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Embeddings

EXAMPLES, STEPS = (200, 40) if os.environ.get("MIEN_SOAK") else (4, 16)
LIMITS = GalleryLimits(persons_per_group=4, faces_per_group=7)
CONTRACTS = {"a": random_contract(4), "b": random_contract(4), "c": random_contract(6)}
SCORING = {"a": "max", "b": "mean", "c": "max"}
IN_GROUP = st.sampled_from(sorted(CONTRACTS))
NAME = st.sampled_from(["Ann", "Bob", "Cem", "Dan", "Eva"])
PICK = st.integers(0, 1000)


@dataclass
class Somebody:
    """A person of the model."""

    groups: dict = field(default_factory=dict)  # name of the group -> the person's name in it
    faces: set = field(default_factory=set)
    anonymous: bool = False
    external_id: str | None = None


@dataclass
class State:
    """All that a gallery holds: persons and faces by id; of a face contract, vector and photo."""

    persons: dict = field(default_factory=dict)
    faces: dict = field(default_factory=dict)

    def named(self, group):
        return {p.groups[group]: key for key, p in self.persons.items() if group in p.groups}

    def seen(self, key, group):
        return {f for f in self.persons[key].faces if self.faces[f][0] == CONTRACTS[group]}

    def count(self, group):
        inside = [key for key, p in self.persons.items() if group in p.groups]
        return len(inside), sum(len(self.seen(key, group)) for key in inside)

    def full(self, group, *, persons=0, faces=0):
        has_persons, has_faces = self.count(group)
        return (persons > 0 and has_persons + persons > LIMITS.persons_per_group) or (
            faces > 0 and has_faces + faces > LIMITS.faces_per_group
        )

    def owner(self, face):
        return next(key for key, p in self.persons.items() if face in p.faces)


class Machine(RuleBasedStateMachine):
    """Does the same to a gallery and to the model, and compares them after every step."""

    def __init__(self, url):
        super().__init__()
        self.gallery = Gallery.open(url, limits=LIMITS)
        self.other = Gallery.open(url, limits=LIMITS)  # with an index of its own
        for name, contract in CONTRACTS.items():
            self.gallery.create_group(name, contract=contract, scoring=SCORING[name])
        self.state = State()
        self.history = []  # (group, state before) of changes with nothing else in between
        self.number = 0
        for group, name in (("a", "Ann"), ("a", "Bob"), ("b", "Ann"), ("c", "Cem")):
            self.add_faces(group, name, 2, "-")
        self.add_member("b", "a", 1)  # Bob is in two groups of one contract

    def teardown(self):
        self.gallery.close()
        self.other.close()

    def do(self, errors, call, *, undoable=None):
        """Call; it must raise one of ``errors``, if there are any. True when it was done."""
        if errors:
            with pytest.raises(tuple(errors)):
                call()
            return None
        before = copy.deepcopy(self.state)
        result = call()
        if undoable is None:
            self.history.clear()
        else:
            self.history.append((undoable, before))
        return result

    def anybody(self, group, pick):
        inside = sorted(self.state.named(group).items())
        return inside[pick % len(inside)] if inside else ("nobody", None)

    def any_face(self, group, pick):
        faces = sorted(f for key in self.state.named(group).values()
                       for f in self.state.seen(key, group))  # fmt: skip
        return faces[pick % len(faces)] if faces else None

    def vectors(self, group, n):
        self.number += 1
        return unit_vectors(n, CONTRACTS[group].dim, seed=self.number)

    # ------------------------------------------------------------------ what is added and deleted

    @rule(group=IN_GROUP, name=NAME, n=st.integers(1, 2), photo=st.sampled_from("--xy"))
    def add_faces(self, group, name, n, photo):
        n = 1 if photo != "-" else n
        source = None if photo == "-" else photo.encode().hex().rjust(64, "0")
        vectors, state = self.vectors(group, n), self.state
        key = state.named(group).get(name)
        own = state.persons[key].faces if key else ()
        errors = {LimitExceeded} if key is None and state.full(group, persons=1) else set()
        inside = state.persons[key].groups if key else [group]
        if any(state.full(g, faces=n) for g in inside if CONTRACTS[g] == CONTRACTS[group]):
            errors.add(LimitExceeded)
        if source and any(state.faces[f][::2] == (CONTRACTS[group], source) for f in own):
            errors.add(AlreadyExists)
        stored = self.do(
            errors,
            lambda: self.gallery.add_faces(
                group, name, Embeddings(vectors, np.full(n, 9, np.float32)),
                contract=CONTRACTS[group], source_sha256=source, create_person=True,
            ),
        )  # fmt: skip
        if stored is None:
            return
        person = state.persons.setdefault(stored[0].person_id, Somebody({group: name}))
        for face, vector in zip(stored, vectors, strict=True):
            person.faces.add(face.id)
            state.faces[face.id] = (CONTRACTS[group], vector, source)

    @rule(group=IN_GROUP)
    def add_anonymous(self, group):
        vectors, state = self.vectors(group, 1), self.state
        full = state.full(group, persons=1, faces=1)
        stored = self.do(
            {LimitExceeded} if full else (),
            lambda: self.gallery.add_faces(
                group, None, Embeddings(vectors, np.full(1, 9, np.float32)),
                contract=CONTRACTS[group],
            ),
        )  # fmt: skip
        if stored:
            (face,) = stored
            assert face.person == face.person_id
            state.persons[face.person_id] = Somebody({group: face.person_id}, {face.id}, True)
            state.faces[face.id] = (CONTRACTS[group], vectors[0], None)

    @rule(group=IN_GROUP, pick=PICK)
    def delete_face(self, group, pick):
        face = self.any_face(group, pick)
        if face:
            self.do((), lambda: self.gallery.delete_face(group, face))
            self.state.persons[self.state.owner(face)].faces.discard(face)
            del self.state.faces[face]

    @rule(group=IN_GROUP, pick=PICK)
    def delete_person(self, group, pick):
        name, key = self.anybody(group, pick)
        self.do({NotFound} if key is None else (), lambda: self.gallery.delete_person(group, name))
        if key:
            for face in self.state.persons.pop(key).faces:
                del self.state.faces[face]

    # ------------------------------------------------------------------ what can be undone

    @rule(group=IN_GROUP, pick=PICK, name=NAME)
    def rename(self, group, pick, name):
        old, key = self.anybody(group, pick)
        if key is None:
            return
        taken = name != old and name in self.state.named(group)
        call = lambda: self.gallery.rename_person(group, old, name)  # noqa: E731
        if self.do({AlreadyExists} if taken else (), call, undoable=group):
            if old == name:
                self.history.pop()  # nothing happened
            self.state.persons[key].groups[group] = name
            self.state.persons[key].anonymous = False

    @rule(group=IN_GROUP, pick=PICK, number=st.sampled_from(["1", "2", None]))
    def set_external_id(self, group, pick, number):
        name, key = self.anybody(group, pick)
        if key is None:
            return
        person = self.state.persons[key]
        others = [p.external_id for p in self.state.persons.values() if p is not person]
        taken = number is not None and number in others
        call = lambda: self.gallery.set_person(group, name, external_id=number)  # noqa: E731
        if self.do({AlreadyExists} if taken else (), call, undoable=group):
            if person.external_id == number:
                self.history.pop()
            self.state.persons[key].external_id = number

    def joining(self, key, name, group):
        state = self.state
        errors = set()
        if group in state.persons[key].groups or name in state.named(group):
            errors.add(AlreadyExists)
        if state.full(group, persons=1, faces=len(state.seen(key, group))):
            errors.add(LimitExceeded)
        return errors

    @rule(group=IN_GROUP, source=IN_GROUP, pick=PICK)
    def add_member(self, group, source, pick):
        name, key = self.anybody(source, pick)
        if key and self.do(
            self.joining(key, name, group),
            lambda: self.gallery.add_member(group, name, source=source),
            undoable=group,
        ):
            self.state.persons[key].groups[group] = name

    @rule(group=IN_GROUP, pick=PICK)
    def remove_member(self, group, pick):
        name, key = self.anybody(group, pick)
        if key is None:
            return
        only = len(self.state.persons[key].groups) == 1
        call = lambda: self.gallery.remove_member(group, name)  # noqa: E731
        self.do({InvalidArgument} if only else (), call, undoable=group)
        if not only:
            del self.state.persons[key].groups[group]

    @rule(group=IN_GROUP, to=IN_GROUP, pick=PICK)
    def move_person(self, group, to, pick):
        name, key = self.anybody(group, pick)
        if key is None:
            return
        errors = self.joining(key, name, to)
        if CONTRACTS[to] != CONTRACTS[group]:
            errors.add(EmbeddingMismatch)
        call = lambda: self.gallery.move_person(group, name, to)  # noqa: E731
        if self.do(errors, call, undoable=group):
            del self.state.persons[key].groups[group]
            self.state.persons[key].groups[to] = name

    @rule(group=IN_GROUP, first=PICK, second=PICK)
    def merge(self, group, first, second):
        (name, key), (other, lost) = self.anybody(group, first), self.anybody(group, second)
        if key is None:
            return
        state = self.state
        kept, gone = state.persons[key], state.persons[lost]
        errors = {InvalidArgument} if key == lost else set()
        for g in kept.groups.keys() ^ gone.groups.keys():
            more = (kept if g in gone.groups else gone).faces
            more = [f for f in more if state.faces[f][0] == CONTRACTS[g]]
            if key != lost and state.full(g, faces=len(more)):
                errors.add(LimitExceeded)
        call = lambda: self.gallery.merge_persons(group, name, other)  # noqa: E731
        if self.do(errors, call, undoable=group):
            kept.groups = {**gone.groups, **kept.groups}
            kept.faces |= gone.faces
            kept.external_id = kept.external_id or gone.external_id
            del state.persons[lost]

    @rule(group=IN_GROUP, pick=PICK, name=NAME, n=st.integers(1, 3))
    def split(self, group, pick, name, n):
        old, key = self.anybody(group, pick)
        faces = sorted(self.state.seen(key, group))[:n] if key else []
        if not faces:
            return
        person = self.state.persons[key]
        errors = set()
        if any(name in self.state.named(g) for g in person.groups):
            errors.add(AlreadyExists)
        if any(self.state.full(g, persons=1) for g in person.groups):
            errors.add(LimitExceeded)
        call = lambda: self.gallery.split_person(group, old, faces, name=name)  # noqa: E731
        made = self.do(errors, call, undoable=group)
        if made:
            self.state.persons[made.id] = Somebody(dict.fromkeys(person.groups, name), set(faces))
            person.faces -= set(faces)

    @rule(group=IN_GROUP, to=IN_GROUP, face=PICK, pick=PICK)
    def move_face(self, group, to, face, pick):
        chosen, (name, key) = self.any_face(group, face), self.anybody(to, pick)
        if chosen is None or key is None:
            return
        state = self.state
        before, target = state.owner(chosen), state.persons[key]
        source = state.persons[before]
        contract, _, photo = state.faces[chosen]
        errors = {EmbeddingMismatch} if CONTRACTS[to] != CONTRACTS[group] else set()
        if before != key:
            if photo and any(state.faces[f][::2] == (contract, photo) for f in target.faces):
                errors.add(AlreadyExists)
            new = [g for g in target.groups if g not in source.groups and CONTRACTS[g] == contract]
            if any(state.full(g, faces=1) for g in new):
                errors.add(LimitExceeded)
        call = lambda: self.gallery.move_face(group, chosen, name, to_group=to)  # noqa: E731
        if self.do(errors, call, undoable=group):
            if before == key:
                self.history.pop()
                return
            source.faces.discard(chosen)
            target.faces.add(chosen)
            if source.anonymous and not source.faces:
                del state.persons[before]

    @rule()
    def undo(self):
        if self.history:
            group, before = self.history.pop()
            done = self.gallery.undo(group)
            assert done.group == group
            self.state = before

    # ------------------------------------------------------------------ what must be so

    @invariant()
    def the_gallery_is_as_the_model(self):
        for group in CONTRACTS:
            self.check(group)

    def check(self, group):
        state, gallery = self.state, self.gallery
        inside = state.named(group)
        found = gallery.group(group)
        assert (found.persons, found.faces) == state.count(group)
        listed = gallery.persons(group) + gallery.persons(group, anonymous=True)
        assert {person.name: person.id for person in listed} == inside
        for person in listed:
            model = state.persons[person.id]
            assert (person.external_id, person.anonymous) == (model.external_id, model.anonymous)
            assert person.faces == len(state.seen(person.id, group))
        owners = {face.id: face.person_id for face in gallery.faces(group, limit=1000)}
        assert owners == {f: key for key in inside.values() for f in state.seen(key, group)}
        wanted = {}
        for key, (faces, templates) in gallery.faces_of(group, inside.values()).items():
            assert set(faces) == state.seen(key, group)
            for face, vector in zip(faces, templates.vector, strict=True):
                assert np.array_equal(vector, state.faces[face][1])
            if SCORING[group] == "mean":
                templates = mean_template(templates)
            wanted[key] = float((templates.vector @ self.probe(group)).max())
        for view in (gallery, self.other):
            (hits,) = view.search(group, self.probe(group)[None], k=50, contract=CONTRACTS[group])
            got = {hit.person_id: hit.similarity for hit in hits}
            assert got == pytest.approx(wanted, abs=1e-5)
            assert [hit.person for hit in hits] == [state.persons[h.person_id].groups[group]
                                                    for h in hits]  # fmt: skip

    @staticmethod
    def probe(group):
        return unit_vectors(1, CONTRACTS[group].dim, seed=10**6)[0]


def test_any_sequence_of_operations(databases):
    run_state_machine_as_test(
        lambda: Machine(databases()),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
