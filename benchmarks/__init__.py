"""The project measured by itself: ratios side by side in one run, CPU seconds; never a timed test."""
