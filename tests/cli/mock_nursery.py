"""Command lines over drawn faces, forked from a process that has imported everything.

Each line of input is an order in JSON: ``files`` in the place of stdout and stderr, ``folder``,
``environment``, ``arguments``. The id of a process is printed that runs ``mien ARGUMENTS`` so;
after the line ``reap``, its exit code.
"""

import json
import os
import sys

from mien.cli import main
from mien.cli import root as _root  # noqa: F401 - and all that commands need
from mien.cli.run import Rooms
from mien.gallery import Gallery as _Gallery  # noqa: F401
from mien.testing import mock_engine


def run(files, folder, environment, arguments):
    """The command line, in the place of this process; it ends as any process of Python's."""
    for stream, file in enumerate(files, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), stream)
    os.chdir(folder)
    os.environ.update(environment)
    main(arguments, rooms=Rooms(engine=lambda settings, models: mock_engine(settings)))


while line := sys.stdin.readline():
    child = os.fork()
    if not child:
        run(**json.loads(line))
    print(child, flush=True)
    assert sys.stdin.readline() == "reap\n"
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
