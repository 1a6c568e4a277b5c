"""Pools that are really there: NumPy's own BLAS, threads with names, and runtimes that are not loaded."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from harness import thread_pools
from harness.telemetry import proc


def answers(code: str) -> str:
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=60
    )
    return found.stdout.strip()


def needs_openblas() -> None:
    name = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    if "openblas" not in name:
        pytest.skip(f"NumPy's BLAS is {name} here")


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="OpenBLAS makes no team on one CPU")
def test_numpys_own_blas_is_found_resized_and_read_back() -> None:
    needs_openblas()
    code = """
        import os
        os.environ["OPENBLAS_NUM_THREADS"] = "2"
        import numpy
        from harness import thread_pools
        before = thread_pools.read_back()
        thread_pools.limit(1)
        print(before["openblas"], thread_pools.read_back()["openblas"])
    """
    assert answers(code) == "2 1"


def test_an_openmp_runtime_is_asked_only_once_it_is_loaded() -> None:
    """Loading one for the question would start a second runtime beside the framework's."""
    code = """
        import ctypes, os, sys
        os.environ["OMP_NUM_THREADS"] = "3"
        from harness import thread_pools
        assert "omp" not in thread_pools.read_back()
        try:
            ctypes.CDLL("libgomp.so.1")
        except OSError:
            print("absent"); sys.exit()
        print(thread_pools.read_back()["omp"])
    """
    found = answers(code)
    if found == "absent":
        pytest.skip("no libgomp on this machine")
    assert found == "3"


def test_threads_are_counted_by_name() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    named, done = threading.Barrier(4), threading.Event()

    def worker() -> None:
        libc.prctl(15, b"tf_XLAEigen-x", 0, 0, 0)  # PR_SET_NAME
        named.wait()
        done.wait()

    workers = [threading.Thread(target=worker) for _ in range(3)]
    for one in workers:
        one.start()
    named.wait()
    assert thread_pools.named("tf_XLAEigen") == 3
    assert thread_pools.named("tf_XLA") == 3
    assert thread_pools.named("tf_Compute") == 0
    done.set()
    for one in workers:
        one.join()


def test_what_is_mapped_but_no_library_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = (
        "7f00-7f01 r--p 00000000 00:00 1 /nonexistent/libgomp.so.1\n"
        "7f01-7f02 r--p 00000000 00:00 2 /nonexistent/libopenblas-data.bin\n"
        "7f02-7f03 r--p 00000000 00:00 3 /nonexistent/libompi.so\n"
        "7f03-7f04 rw-p 00000000 00:00 0\n"
        "7f04-7f05 rw-p 00000000 00:00 0 [stack]\n"
    )
    monkeypatch.setattr(proc, "read", lambda path: maps)
    assert thread_pools.read_back() == {}
