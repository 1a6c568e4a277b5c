"""From records to what pages and terminal say: results, comparisons, tables. ``load`` is where they begin."""

from framebench.dataset.aa_pairs import host_noise
from framebench.dataset.case_comparisons import CaseComparison, Row, comparisons, ratio
from framebench.dataset.dataset import Dataset, load
from framebench.dataset.device_share import Place, Utilization
from framebench.dataset.file_formats import to_csv, to_json, to_parquet
from framebench.dataset.frames import comparisons_frame, results_frame, trials_frame
from framebench.dataset.grouping import results
from framebench.dataset.overall_ratios import overall
from framebench.dataset.result import (
    SET_ASIDE,
    FirstSteps,
    Result,
)
from framebench.dataset.two_results import compare_two
from framebench.records.trial_figures import cpu_step_ns, step_ns, wait_share

__all__ = [
    "SET_ASIDE",
    "CaseComparison",
    "Dataset",
    "FirstSteps",
    "Place",
    "Result",
    "Row",
    "Utilization",
    "compare_two",
    "comparisons",
    "comparisons_frame",
    "cpu_step_ns",
    "host_noise",
    "load",
    "overall",
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
