"""Command lines over drawn faces, forked from a process that has imported everything.

Each line of input is ``[stderr, environment, arguments]`` in JSON: the id of a process is printed
that runs ``mien ARGUMENTS`` and writes to the file ``stderr``; after the line ``reap``, its status.
"""

import json
import os
import sys

from mien.cli import main
from mien.cli import root as _root  # noqa: F401 - and all that commands need
from mien.cli.run import Rooms
from mien.gallery import Gallery as _Gallery  # noqa: F401
from mien.testing import mock_engine


def run(stderr, environment, arguments):
    """The command line, in the place of this process."""
    os.dup2(os.open(stderr, os.O_WRONLY), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.environ.update(environment)
    sys.argv[1:] = arguments
    main(rooms=Rooms(engine=lambda settings, models: mock_engine(settings)))


while line := sys.stdin.readline():
    child = os.fork()
    if not child:
        try:
            run(*json.loads(line))
        except SystemExit as end:
            sys.stderr.flush()
            os._exit(end.code or 0)
        os._exit(0)
    print(child, flush=True)
    assert sys.stdin.readline() == "reap\n"
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
