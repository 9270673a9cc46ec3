"""A store that may have every attribute, and real faces to look at."""

import pytest

from mien.attributes import FaceView
from mien.image import open_photo
from mien.models import ModelStore


@pytest.fixture(scope="session")
def every_licence(weights):
    accepted = (*weights.accept_licences, "glasses")
    return ModelStore(weights.model_copy(update={"accept_licences": accepted}))


@pytest.fixture(scope="session")
def views(engine, people):
    """The faces of the sample photos by the photos' names."""
    found = {}
    for path in (path for paths in people.values() for path in paths):
        pixels = open_photo(path).pixels()
        found[path.name] = FaceView(pixels, engine.detector.detect([pixels])[0][0])
    return found
