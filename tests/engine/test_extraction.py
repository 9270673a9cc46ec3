"""Faces as crops, and embeddings of crops that the caller chose, with drawn faces."""

import io

import numpy as np
import pytest
from PIL import Image

from mien import Preprocessing
from mien.align import MODES, normalise
from mien.embed.aligned import AlignedNet
from mien.embed.preprocessed import Preprocessed, prepared, variant
from mien.engine import Engine
from mien.errors import InvalidArgument, NoFaceFound
from mien.models.card import EmbedderFacts, ModelCard, UrlSource
from mien.testing import MockDetector, MockSession, drawn_photo, mock_engine

TWO = drawn_photo([(1, 300, 200, 200), (2, 20, 30, 90)], (700, 900))
NOBODY = np.full((60, 80, 3), 127, np.uint8)


@pytest.fixture
def engine():
    with mock_engine() as made:
        yield made


def net_engine(*, template="arcface112", colour="rgb", name="sface"):
    """An engine with a net that answers with its input's first pixels."""
    facts = EmbedderFacts(
        template=template,
        size_hw=(112, 112),
        colour=colour,
        mean=(0.0, 0.0, 0.0),
        scale=1.0,
        dim=3,
        metric="euclidean",
        preprocessing=7,
    )
    card = ModelCard(
        name=name,
        task="embed",
        title="a net of a test",
        sources=(UrlSource("https://example.org/net.onnx", "5" * 64),),
        licence="MIT",
        commercial=True,
        origin="none",
        paper="none",
        inputs={"input": (1, 3, 112, 112)},
        embedder=facts,
    )
    session = MockSession(lambda inputs: {"y": inputs["input"][:, :, 56, 56]}, ["input"], ["y"])
    return Engine(detector=MockDetector(), embedder=AlignedNet(card, session)), session


def test_faces_are_cut_out_largest_first(engine):
    found = engine.extract_faces(TWO)
    assert len(found) == 2
    assert found.crops.shape == (2, 112, 112, 3)
    assert found.crops.dtype == np.uint8
    assert found[0].face.box.area > found[1].face.box.area
    assert [one.score for one in found] == [face.score for face in found.detection]
    assert len(engine.extract_faces(TWO, max_faces=1)) == 1


def test_boxes_without_a_size_keep_their_own(engine):
    found = engine.extract_faces(TWO, Preprocessing(align="none"))
    for one in found:
        box = one.face.box
        assert one.crop.shape == (round(box.y1) - round(box.y0), round(box.x1) - round(box.x0), 3)
    with pytest.raises(InvalidArgument, match="target_size_hw"):
        _ = found.crops
    sized = engine.extract_faces(TWO, Preprocessing(align="none", target_size_hw=(80, 60)))
    assert sized.crops.shape == (2, 80, 60, 3)


@pytest.mark.parametrize("mode", MODES)
def test_normalised_crops_are_the_crops_normalised(engine, mode):
    plain = engine.extract_faces(TWO, Preprocessing(align="eyes", target_size_hw=(32, 32)))
    found = engine.extract_faces(
        TWO, Preprocessing(align="eyes", target_size_hw=(32, 32), normalisation=mode)
    )
    pixels = plain.crops.astype(np.float32) / np.float32(255)
    assert found.crops.dtype == np.float32
    np.testing.assert_allclose(found.crops, normalise(pixels, mode), atol=1e-4)


def test_no_face_is_an_error_or_the_photo_whole(engine):
    with pytest.raises(NoFaceFound, match="enforce_detection=False"):
        engine.extract_faces(NOBODY)
    (one,) = engine.extract_faces(NOBODY, Preprocessing(enforce_detection=False))
    assert one.face.box.to_list() == [0, 0, 80, 60]
    assert one.score == 0
    np.testing.assert_array_equal(one.crop, NOBODY)
    represented = engine.represent(NOBODY, preprocessing=Preprocessing(enforce_detection=False))
    assert len(represented) == 1
    assert represented.contract != engine.represent(TWO).contract  # it is not aligned
    assert len(engine.represent(NOBODY)) == 0
    with pytest.raises(NoFaceFound):
        engine.represent(NOBODY, preprocessing=Preprocessing())


def test_a_large_jpeg_is_cut_from_its_own_pixels():
    buffer = io.BytesIO()
    photo = drawn_photo([(1, 1200, 800, 1000)], (3000, 4000))
    Image.fromarray(photo).save(buffer, "JPEG", quality=92)
    with mock_engine() as engine:
        (own,) = engine.extract_faces(buffer.getvalue(), Preprocessing(align="none"))
        assert own.crop.shape[0] == pytest.approx(1000, abs=8)
        small = Preprocessing(align="none", target_size_hw=(100, 100))
        (one,) = engine.extract_faces(buffer.getvalue(), small)
        assert one.crop.shape == (100, 100, 3)
        assert one.face.box.width == pytest.approx(own.face.box.width)


def test_the_models_own_way_keeps_its_contract(engine):
    plain = engine.represent(TWO)
    same = engine.represent(TWO, preprocessing=Preprocessing())
    assert same.contract == plain.contract
    np.testing.assert_array_equal(same.embeddings.vector, plain.embeddings.vector)


def test_the_models_own_way_is_the_same_of_a_large_jpeg_too(engine):
    buffer = io.BytesIO()
    photo = drawn_photo([(1, 1200, 800, 1000), (2, 100, 100, 150)], (3000, 4000))
    Image.fromarray(photo).save(buffer, "JPEG", quality=92)
    plain = engine.represent(buffer.getvalue())
    same = engine.represent(buffer.getvalue(), preprocessing=Preprocessing())
    np.testing.assert_array_equal(same.embeddings.vector, plain.embeddings.vector)


def test_options_of_another_kind_are_an_error(engine):
    for wrong in ({"align": "eyes"}, "eyes"):
        with pytest.raises(InvalidArgument, match=r"mien\.Preprocessing"):
            engine.extract_faces(TWO, wrong)
        with pytest.raises(InvalidArgument, match=r"mien\.Preprocessing"):
            engine.represent(TWO, preprocessing=wrong)


def test_another_way_is_another_contract(engine):
    plain = engine.represent(TWO).contract
    eyes = engine.represent(TWO, preprocessing=Preprocessing(align="eyes")).contract
    wider = Preprocessing(align="eyes", expand_percentage=10)
    contracts = {plain, eyes, engine.represent(TWO, preprocessing=wider).contract}
    assert len(contracts) == 3
    assert {(c.model, c.source_sha256, c.dim) for c in contracts} == {
        (plain.model, plain.source_sha256, plain.dim)
    }


def test_each_way_has_its_own_number():
    numbers = [
        variant(Preprocessing(align=align, expand_percentage=percentage, normalisation=mode))
        for align in ("landmarks", "eyes", "none")
        for percentage in (0, 1, 10, 399, 400)
        for mode in (None, *MODES)
    ]
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) == 0
    assert variant(Preprocessing(enforce_detection=False)) == 0


def test_what_a_net_gets_is_what_was_asked_for():
    engine, session = net_engine()
    options = Preprocessing(align="none", expand_percentage=20, normalisation="ArcFace")
    represented = engine.represent(TWO, preprocessing=options)
    sized = Preprocessing(
        align="none", expand_percentage=20, normalisation="ArcFace", target_size_hw=(112, 112)
    )
    crops = engine.extract_faces(TWO, sized).crops
    blobs = np.concatenate([call["input"] for call in session.calls if len(call["input"])])
    found = sorted(float(blob.mean()) for blob in blobs)
    np.testing.assert_allclose(found, sorted(float(crop.mean()) for crop in crops), atol=1e-5)
    assert represented.contract.preprocessing > 1000


def test_the_vgg_means_belong_to_their_colours_whatever_order_the_net_wants():
    options = Preprocessing(align="none", normalisation="VGGFace", target_size_hw=(112, 112))
    inputs = {}
    for colour in ("rgb", "bgr"):
        engine, session = net_engine(colour=colour)
        facts = engine.embedder._facts
        wrapped = Preprocessed(engine.embedder, options, facts)
        wrapped.embed(np.random.default_rng(1).integers(0, 256, (1, 112, 112, 3), np.uint8))
        inputs[colour] = session.calls[-1]["input"]
    np.testing.assert_allclose(inputs["bgr"], inputs["rgb"][:, ::-1], atol=1e-4)


@pytest.mark.parametrize("template", ["arcface112", "box"])
def test_an_expanded_crop_is_aligned_as_the_model_aligns(template):
    engine, _ = net_engine()
    embedder = net_engine(template=template)[0].embedder
    face = engine.detect(TWO)[0]
    plain = embedder.crop(TWO, face)
    options = Preprocessing(expand_percentage=100)
    wide = Preprocessed(embedder, options, embedder._facts).crop(TWO, face)
    assert wide.shape == plain.shape
    half = plain[::2, ::2].astype(float)
    assert np.abs(wide[28:84, 28:84].astype(float) - half).mean() < 6


def test_a_size_that_the_net_does_not_take_is_an_error(engine):
    with pytest.raises(InvalidArgument, match="leave target_size_hw out"):
        engine.represent(TWO, preprocessing=Preprocessing(target_size_hw=(50, 50)))


def test_a_model_that_normalises_by_itself_says_so(engine):
    with pytest.raises(InvalidArgument, match="normalises by itself"):
        engine.represent(TWO, preprocessing=Preprocessing(normalisation="raw"))


def test_a_model_without_a_card_cannot_be_aligned_wider(engine):
    with pytest.raises(InvalidArgument, match="no card"):
        engine.represent(TWO, preprocessing=Preprocessing(expand_percentage=10))


def test_nothing_to_change_is_no_change(engine):
    options = Preprocessing(enforce_detection=False)
    assert prepared(engine.embedder, options, engine.models) is engine.embedder


@pytest.mark.parametrize("size_hw", [(16, 16), (16, 300), (300, 16)])
def test_the_smallest_photos_are_taken_whole(engine, size_hw):
    tiny = np.zeros((*size_hw, 3), np.uint8)
    options = Preprocessing(
        align="none", enforce_detection=False, target_size_hw=(50, 40), expand_percentage=400
    )
    assert engine.extract_faces(tiny, options).crops.shape == (1, 50, 40, 3)
