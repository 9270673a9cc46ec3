"""Measure a pipeline on labelled photos, and calibrate it.

``pairs`` runs the pair protocol, ``calibrate`` makes a model card's calibration, ``attributes``
compares age, gender, emotion and mask with labels;
``detection`` counts the faces that are found; ``clusters`` sorts photos by person;
``identification`` enrols and searches;
``liveness`` counts the attacks that are let through;
``docs/reference/evaluation.md`` defines every figure.
"""

from mien.evaluate.attributes import AttributesReport, attributes
from mien.evaluate.calibration import calibrate
from mien.evaluate.calibration_report import CalibrationReport
from mien.evaluate.card_table import check_card, write_calibration
from mien.evaluate.clusters import ClustersReport, clusters
from mien.evaluate.detection import DetectionReport, detection
from mien.evaluate.files import check_target
from mien.evaluate.identification import IdentificationReport, identification
from mien.evaluate.liveness import LivenessReport, liveness
from mien.evaluate.pages import calibration_markdown, pairs_html, write_page
from mien.evaluate.pair_protocol import PairsReport, Score, pairs
from mien.evaluate.quality_model import CalibrationOptions
from mien.evaluate.quality_page import quality_html
from mien.evaluate.quality_protocol import QualityReport, quality

__all__ = [
    "AttributesReport",
    "CalibrationOptions",
    "CalibrationReport",
    "ClustersReport",
    "DetectionReport",
    "IdentificationReport",
    "LivenessReport",
    "PairsReport",
    "QualityReport",
    "Score",
    "attributes",
    "calibrate",
    "calibration_markdown",
    "check_card",
    "check_target",
    "clusters",
    "detection",
    "identification",
    "liveness",
    "pairs",
    "pairs_html",
    "quality",
    "quality_html",
    "write_calibration",
    "write_page",
]
