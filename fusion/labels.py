"""What classes are called, and the text that names one."""

NOTHING = "nothing"
"""The class of what shows nothing and says nothing, where a task has one."""


def prompt_of(label: str) -> str:
    """The text that names a class: "an old cup" for "old cup"."""
    return label if label == NOTHING else f"a{'n' if label[:1] in 'aeiou' else ''} {label}"
