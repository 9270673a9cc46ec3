"""stream: who is in a video, and what their faces show, drawn on its frames."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from mien.compat.deepface import faces
from mien.compat.deepface.demography import told
from mien.compat.deepface.distances import find_distance
from mien.compat.deepface.engines import Backend, backend
from mien.compat.deepface.exceptions import EmptyDatasource
from mien.compat.deepface.folder import Known
from mien.compat.deepface.folder_index import folder_index
from mien.compat.deepface.options import Options
from mien.compat.deepface.surface import public
from mien.compat.deepface.thresholds import Decision, decide
from mien.compat.deepface.video import Screen, VideoFile, VideoSource, can_show
from mien.drawing import draw_faces
from mien.errors import NotFound
from mien.image import Photo, open_photo
from mien.types import RGB, Faces

__all__ = ["stream"]

ACTIONS = ("age", "gender", "emotion")


@public("model")
def stream(
    db_path: Any = "",  # noqa: ANN401 - a folder
    model_name: str | None = None,
    detector_backend: str | None = None,
    distance_metric: str = "cosine",
    enable_face_analysis: bool = True,
    source: Any = 0,  # noqa: ANN401 - a camera's number or a path
    time_threshold: int = 5,
    frame_threshold: int = 5,
    anti_spoofing: bool = False,
    output_path: str | os.PathLike[str] | None = None,
    debug: bool = False,
) -> None:
    """Recognise and analyse the faces of a video, and show or write its frames.

    Faces are framed in every picture. When ``frame_threshold`` pictures in a row have shown one,
    the faces are looked up in ``db_path`` and analysed, and that picture, with the answers,
    stands for ``time_threshold`` seconds: of the clock for a camera, of the video for a file.

    Args:
        db_path: a folder of photos, as for ``find``; empty: nobody is looked up.
        model_name, detector_backend, distance_metric, anti_spoofing: see
            :func:`mien.compat.deepface.verify`.
        enable_face_analysis: tell age, gender and emotion.
        source: number of a camera, or path or address of a video.
        time_threshold: seconds, at least 1.
        frame_threshold: pictures, at least 1.
        output_path: an ``.mp4`` file to write; without a window it is what there is. None: a
            window, which the key q closes.
        debug: write the pictures that were analysed to ``freezed_N.jpg`` in the working folder.

    Raises:
        ImageNotFound: the source cannot be opened; also ``ImgNotFound``.
        InvalidArgument: there is neither a window nor an ``output_path``.
        NotFound, ModelError: as for ``find``.
    """
    options = Options(
        model_name=model_name,
        detector_backend=detector_backend,
        enforce_detection=False,
        anti_spoofing=anti_spoofing,
    )
    chosen = backend(options)
    decision = decide(chosen, options, distance_metric)
    reader = _Reader(
        chosen,
        options,
        decision,
        known=_known(db_path, chosen, options),
        analysed=bool(enable_face_analysis),
    )
    with VideoSource(source) as video:
        pause = _Pause(max(1, time_threshold), video)
        outputs = _outputs(output_path, video.fps)
        try:
            _run(
                video, reader, pause, outputs, frame_threshold=max(1, frame_threshold), debug=debug
            )
        finally:
            for output in outputs:
                output.close()


class _Output(Protocol):
    def show(self, frame: RGB) -> bool: ...

    def close(self) -> None: ...


def _outputs(path: str | os.PathLike[str] | None, fps: float) -> list[_Output]:
    """A file, a window, or both; raises InvalidArgument where there is neither."""
    if path is None:
        return [Screen()]
    file = VideoFile(path, fps)
    return [file, Screen()] if can_show() else [file]


def _run(
    video: VideoSource,
    reader: _Reader,
    pause: _Pause,
    outputs: list[_Output],
    *,
    frame_threshold: int,
    debug: bool,
) -> None:
    in_a_row = analysed = 0
    for frame in video:
        shown = pause.standing()
        if shown is None:
            photo = open_photo(frame, limits=reader.engine.limits)
            seen = reader.look(photo)
            in_a_row = in_a_row + 1 if seen else 0
            frozen = bool(seen) and in_a_row % frame_threshold == 0
            labels = reader.labels(photo, seen) if frozen else [""] * len(seen)
            shown = _drawn(frame, seen, labels)
            if frozen:
                analysed += 1
                pause.begin(shown)
                if debug:
                    Image.fromarray(shown).save(Path(f"freezed_{analysed}.jpg"))
        going_on = [output.show(shown) for output in outputs]  # all of them, before it ends
        if not all(going_on):
            return


class _Pause:
    """How long a picture with answers stands still."""

    def __init__(self, seconds: float, video: VideoSource) -> None:
        self._picture: RGB | None = None
        self._seconds = seconds
        self._video = video
        self._frame = 0
        self._begin = 0.0

    def _now(self) -> float:
        """Seconds: of the clock for a camera, of the video for a file."""
        return time.monotonic() if self._video.live else self._frame / self._video.fps

    def standing(self) -> RGB | None:
        """A frame has come: the picture that stands in its place, if one does."""
        self._frame += 1
        if self._picture is not None and self._now() - self._begin >= self._seconds:
            self._picture = None
        return self._picture

    def begin(self, picture: RGB) -> None:
        """Show this picture from now on."""
        self._picture = picture
        self._begin = self._now()


class _Reader:
    """Finds, names and describes the faces of a frame."""

    def __init__(
        self,
        chosen: Backend,
        options: Options,
        decision: Decision,
        *,
        known: Known | None,
        analysed: bool,
    ) -> None:
        self.engine = chosen.engine
        self._chosen = chosen
        self._options = options
        self._decision = decision
        self._known = known
        self._actions = ACTIONS if analysed else ()

    def look(self, photo: Photo) -> list[faces.SeenFace]:
        """The faces of a frame; none where a detector was asked and found none."""
        seen = faces.look(self._chosen, photo, self._options, on_spoof="tell")
        asked = self._chosen.detector != "skip"
        return [one for one in seen if one.face.score > 0 or not asked]

    def labels(self, photo: Photo, seen: list[faces.SeenFace]) -> list[str]:
        """What to write under each face; of one that is not live, nothing but that."""
        real = [one for one in seen if one.is_real]
        said = (
            ", ".join(filter(None, [name, *words]))
            for name, words in zip(
                self._names(photo, real), self._descriptions(photo, real), strict=True
            )
        )
        return [next(said) if one.is_real else "spoof suspected" for one in seen]

    def _names(self, photo: Photo, seen: list[faces.SeenFace]) -> list[str]:
        if not seen or self._known is None or not len(self._known):
            return [""] * len(seen)
        probes = faces.embed(self._chosen, photo, seen, self._options)
        distances = find_distance(self._known.embedding, probes, self._decision.metric)
        return [self._name(row) for row in distances]

    def _name(self, distances: np.ndarray[Any, Any]) -> str:
        assert self._known is not None
        place = int(np.argmin(distances))
        distance = float(distances[place])
        if distance > self._decision.threshold:
            return ""
        path = list(self._known.photos)[int(self._known.owner[place])]
        return f"{path} {self._decision.confidence(distance):.0f}%"

    def _descriptions(self, photo: Photo, seen: list[faces.SeenFace]) -> list[list[str]]:
        if not self._actions:
            return [[] for _ in seen]
        found = self.engine.analyze_faces(
            photo, Faces.of([one.face for one in seen]), actions=self._actions
        )
        return [
            [
                str(told("age", one["age"])["age"]),
                told("gender", one["gender"])["dominant_gender"],
                told("emotion", one["emotion"])["dominant_emotion"],
            ]
            for one in found
        ]


def _known(folder: Any, chosen: Backend, options: Options) -> Known | None:  # noqa: ANN401
    """The faces of the folder; None where none is given, or it has no photos."""
    if not folder:
        return None
    enforcing = Options(model_name=options.model_name, detector_backend=options.detector_backend)
    try:
        return folder_index(folder, chosen, enforcing).known(refresh=True)
    except NotFound as caught:
        if isinstance(caught, EmptyDatasource):
            return None
        raise


def _drawn(frame: RGB, seen: list[faces.SeenFace], labels: list[str]) -> RGB:
    labelled = [(one.face, label) for one, label in zip(seen, labels, strict=True)]
    return np.asarray(draw_faces(frame, labelled))
