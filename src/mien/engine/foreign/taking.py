"""Take templates that another program has made into a gallery."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np

from mien.engine.enrolment import EnrolmentPhoto, PhotoOutcome
from mien.engine.foreign.faces import ForeignFace
from mien.errors import (
    AlreadyExists,
    ConsentMissing,
    EmbeddingMismatch,
    InvalidArgument,
    LimitExceeded,
)
from mien.gallery import Gallery
from mien.results import Rejection
from mien.types import EmbeddingContract, Embeddings

__all__ = ["take_each"]


def take_each(
    gallery: Gallery, group: str, faces: Iterable[ForeignFace], *, contract: EmbeddingContract
) -> Iterator[PhotoOutcome]:
    """Store foreign templates, one transaction each; the group and the persons are made.

    Vectors are brought to unit length, and the length from before is kept beside them. A vector
    that the person has already is passed over, with the reason ``duplicate``: taking the same file
    again changes nothing. In the place of a photo's SHA-256 stands that of the numbers, so the
    photo of a template is not known.

    Args:
        gallery, group: where to.
        faces: what to take. All are looked at before the first is stored.
        contract: what made them. **Nobody can see from a vector which weights made it**: they must
            be the contract's own, and the crops too, or the vectors cannot be compared with its.

    Yields:
        What became of each, after its transaction.

    Raises:
        EmbeddingMismatch: a vector of another length than the contract's, or the group is pinned
            to another contract; nothing was stored.
        LimitExceeded: the group is full; what was taken before stays.
    """
    wanted = list(faces)
    for face in wanted:
        if face.vector.size != contract.dim:
            raise EmbeddingMismatch(
                f"{contract.model} makes vectors of {contract.dim} numbers, the vector "
                f"{face.name} has {face.vector.size}: it comes from another model.",
                details={"dim": contract.dim, "given": face.vector.size},
            )
    if wanted:
        gallery.ensure_group(group, contract=contract)
    for face in wanted:
        yield _take(gallery, group, face, contract)


def _take(
    gallery: Gallery, group: str, face: ForeignFace, contract: EmbeddingContract
) -> PhotoOutcome:
    photo = EnrolmentPhoto(face.person, b"", face.name, face.external_image_id)
    length = float(np.linalg.norm(face.vector))
    if not np.isfinite(length) or length < 1e-6:
        return _rejected(photo, "invalid_argument", "The vector is zero or not finite.")
    unit = (face.vector / length).astype(np.float32)[None]
    sha256 = hashlib.sha256(b"mien vector\n" + unit.astype("<f4").tobytes()).hexdigest()
    try:
        (stored,) = gallery.add_faces(
            group,
            face.person,
            Embeddings(unit, np.array([length], np.float32)),
            contract=contract,
            source_sha256=sha256,
            external_image_id=face.external_image_id,
            create_person=True,
        )
    except AlreadyExists:
        return _rejected(photo, "duplicate", "This vector is enrolled already.")
    except LimitExceeded:
        raise
    except (ConsentMissing, InvalidArgument) as error:
        return _rejected(photo, error.code, error.message)
    return PhotoOutcome(photo, stored.id, None)


def _rejected(photo: EnrolmentPhoto, reason: str, message: str) -> PhotoOutcome:
    return PhotoOutcome(photo, None, Rejection(photo.name, (reason,), message))
