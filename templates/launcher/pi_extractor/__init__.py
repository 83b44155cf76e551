"""Runs the static pi-extractor that this wheel carries, on a Spark session.

Each task of a job has an entry point here: a function of its own name, which
reads the task's parameters from ``sys.argv``. All logic is in the program; here
is only what Python must do for it:

- ``launcher`` starts the program and turns its exit code into an outcome,
- ``session`` gets the Spark session,
- ``pipe`` serves the program's requests with it,
- ``shards`` runs the program's shards on the workers,
- ``binary`` copies the program to local disk, on the driver and on workers,
- ``checkup`` checks what all of these need of a cluster.
"""

from pi_extractor.checkup import doctor
from pi_extractor.launcher import consolidate, discover, extract, validate

__all__ = ["consolidate", "discover", "doctor", "extract", "validate"]
