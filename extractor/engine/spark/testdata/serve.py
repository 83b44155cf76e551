"""Serves pipes for a test, side by side: serve.py REQUESTS,ANSWERS …, file descriptors."""

import os
import sys
from threading import Thread

from pi_extractor import pipe, session

spark = session.start()


def serve(requests: int, answers: int) -> None:
    with os.fdopen(requests, "rb") as asked, os.fdopen(answers, "wb") as said:
        pipe.serve(spark, asked, said)


threads = [Thread(target=serve, args=map(int, pair.split(","))) for pair in sys.argv[1:]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
