"""Results of analysing faces: one frozen value for each attribute, and all of them for a photo."""

from mien.analysis.appearance import Age, Emotion, EmotionName, Gender, Presence, Race, RaceName
from mien.analysis.faces import Analysis, FaceAnalysis
from mien.analysis.picture import Grade, Quality, QualityReason
from mien.analysis.shape import Eyes, Occlusion, Pose
from mien.verdict import LivenessReason, LivenessVerdict, Verdict

__all__ = [
    "Age",
    "Analysis",
    "Emotion",
    "EmotionName",
    "Eyes",
    "FaceAnalysis",
    "Gender",
    "Grade",
    "LivenessReason",
    "LivenessVerdict",
    "Occlusion",
    "Pose",
    "Presence",
    "Quality",
    "QualityReason",
    "Race",
    "RaceName",
    "Verdict",
]
