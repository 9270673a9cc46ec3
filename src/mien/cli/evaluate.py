"""Commands that measure."""

import click
from mien.cli.run import Run, shared_options


@click.group("eval")
def evaluate() -> None:
    """Measure models on labelled photos, and calibrate."""
