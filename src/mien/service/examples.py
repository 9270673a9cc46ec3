"""Examples."""


def complete_examples(made):
    pass
