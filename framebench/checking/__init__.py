"""Are records what they say? Nothing in them is believed that can be calculated, looked up or held against others.

One module for each kind of question: ``moments``, ``stopwatch``, ``as_asked``, ``sums``, ``copies``, ``surroundings``,
``texts``, ``machines``, ``works``, ``rules``, ``verdicts``, ``sidecars``, ``plausible``, ``handed_in``. Each has
``doubts(record, known)``.
``reproductions`` and ``selftests`` ask what was concluded from records.
"""

from framebench.checking.doubt import Finding
from framebench.checking.history import History
from framebench.checking.inquiry import Checked, check

__all__ = ["Checked", "Finding", "History", "check"]
