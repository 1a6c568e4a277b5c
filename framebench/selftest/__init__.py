"""The machinery measured by itself: does it call equals equal, find what was planted, and refuse what lies?

``campaigns`` runs the trials, ``evidence`` computes what they say, ``document`` is what is stored and shown.
Every trial goes the way of any other: spec, fresh process, record on disk, results, comparisons, verdicts.
"""
