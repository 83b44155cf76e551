"""Runs the static pi-extractor that this wheel carries.

Each task of a job has an entry point here: a function of its own name, which
reads the task's parameters from ``sys.argv``.
"""

from pi_extractor.launcher import consolidate, discover, extract, validate

__all__ = ["consolidate", "discover", "extract", "validate"]
