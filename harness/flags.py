"""Sentences that a record may carry in ``flags``; the site words its explanations by them."""

NOISY = "noisy host"
UNRANKED = "noisy host: unranked"
NOISE_UNKNOWN = "host noise unknown"
NOT_STEADY = "not steady"
CALL_OVERHEAD = "call overhead above 1 %"
BARRIER_OVERHEAD = "barrier above 1 % of a block"
NO_TELEMETRY = "no telemetry"

NOISY_ABOVE = 0.02
UNRANKED_ABOVE = 0.10


def noise(wait_share: float | None, steal_share: float, throttled_share: float) -> list[str]:
    """The flag that the host's noise during the timed window deserves, if any.

    ``wait_share`` is w / (w + c): of the time in which this process's threads wanted a core (c on a core,
    w waiting in the run queue), the part spent waiting. Unlike w / wall it does not grow with the number
    of threads. Stolen and throttled time are shares of the window. Limits: DESIGN section 5.
    """
    if wait_share is None:
        return [NOISE_UNKNOWN]
    share = wait_share + steal_share + throttled_share
    if share > UNRANKED_ABOVE:
        return [UNRANKED]
    return [NOISY] if share > NOISY_ABOVE else []
