"""Serves the launcher's pipe for a test: serve.py ANSWERS REQUESTS, two file descriptors."""

import os
import sys

from pi_extractor import pipe, session

spark = session.start()
with os.fdopen(int(sys.argv[2]), "rb") as requests, os.fdopen(int(sys.argv[1]), "wb") as answers:
    pipe.serve(spark, requests, answers)
