"""The gate: is what will be timed the work that was specified?

Parts, each sharp where it stands (``parts.py``): the logic in float64, the precision that is timed, the
optimizer's rule, the state, generation; and the timed shape before and after the blocks (``shape.py``). Every
contender is compared with one stored float64 reference (``reference.py``) through nothing but what is timed:
``reset``, ``run``, ``state``. Tolerances are measured (``noise.py``); what the gate is worth is measured too
(``mutants.py``).
"""
