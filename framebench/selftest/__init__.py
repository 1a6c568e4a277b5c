"""The machinery measured by itself: does it call equals equal, find what was planted, and refuse what lies?

``campaigns`` runs the trials, ``judging`` computes what they say; the document of ``records`` is stored and shown.
Every trial goes the way of any other: spec, fresh process, record on disk, results, comparisons, verdicts.
"""
