"""The command line over drawn faces, as a process of its own: something to kill."""

from mien.cli import main
from mien.cli.run import Rooms
from mien.testing import mock_engine

main(rooms=Rooms(engine=lambda settings, models: mock_engine(settings)))
