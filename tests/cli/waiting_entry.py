"""A command line whose engine takes for ever to come: something to interrupt."""

import signal
import sys
import time

from mien.cli import main
from mien.cli.run import Rooms


def wait(settings, models):
    print("waiting", file=sys.stderr, flush=True)
    time.sleep(60)


# A shell starts its background jobs with the signal ignored, and that is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)
main(["detect", "a.jpg"], rooms=Rooms(engine=wait))
