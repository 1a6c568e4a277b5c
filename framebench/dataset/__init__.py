"""From records to what pages and terminal say: results, comparisons, tables. ``load`` is where they begin."""

from framebench.dataset.aa_pairs import host_noise, host_noises
from framebench.dataset.case_comparisons import BASELINE, CaseComparison, Row, comparisons, ratio
from framebench.dataset.dataset import Dataset, load
from framebench.dataset.device_share import MeasuredCeiling, Place, Utilization
from framebench.dataset.file_formats import to_csv, to_json, to_parquet
from framebench.dataset.frames import comparisons_frame, results_frame, trials_frame
from framebench.dataset.grouping import results
from framebench.dataset.overall_ratios import Overall, overall
from framebench.dataset.result import (
    NOT_TIMED,
    SET_ASIDE,
    FirstSteps,
    LatencySummary,
    LearningSummary,
    Result,
)
from framebench.dataset.trial_figures import cpu_step_ns, phase_ns, step_ns, wait_share
from framebench.dataset.two_results import compare_two

__all__ = [
    "BASELINE",
    "NOT_TIMED",
    "SET_ASIDE",
    "CaseComparison",
    "Dataset",
    "FirstSteps",
    "LatencySummary",
    "LearningSummary",
    "MeasuredCeiling",
    "Overall",
    "Place",
    "Result",
    "Row",
    "Utilization",
    "compare_two",
    "comparisons",
    "comparisons_frame",
    "cpu_step_ns",
    "host_noise",
    "host_noises",
    "load",
    "overall",
    "phase_ns",
    "ratio",
    "results",
    "results_frame",
    "step_ns",
    "to_csv",
    "to_json",
    "to_parquet",
    "trials_frame",
    "wait_share",
]
