"""What may be concluded from trials: arrays in, small tuples out; no files, no harness, no pages.

The unit of replication is the trial (one fresh process). Steps and blocks are never pooled across
processes: intervals from pooled steps cover the truth 0.59 instead of 0.95 of the time. All work is done
on natural logarithms of times, so a ratio is a difference and its interval is symmetric there.
"""
