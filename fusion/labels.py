"""What classes are called, and the text that names one."""

from collections.abc import Iterable
from dataclasses import dataclass

NOTHING = "nothing"
"""The class of what shows nothing and says nothing, where a task has one."""


def prompt_of(label: str) -> str:
    """The text that names a class: "an old cup" for "old cup"."""
    return label if label == NOTHING else f"a{'n' if label[:1] in 'aeiou' else ''} {label}"


SAID_OTHERWISE = (
    "one {}", "show me the {}", "bring the {}", "where is the {}", "i need a {}", "is there a {}", "our {}",
    "move the {} to the left",
)  # fmt: skip
"""Ways to name a thing that no training gives as a prompt, in words that every built-in tokenizer knows."""


@dataclass(frozen=True, slots=True)
class PromptTexts:
    """trained: the prompts that training gave; paraphrases: other ways to name the same, that it did not give, to
    measure on how far from those a prompt may lie that means one of them."""

    trained: tuple[str, ...]
    paraphrases: tuple[str, ...]


def said_otherwise(names: Iterable[str]) -> tuple[str, ...]:
    """Each name in each way of SAID_OTHERWISE."""
    return tuple(way.format(name) for name in names for way in SAID_OTHERWISE)


def prompts_of_labels(labels: Iterable[str]) -> PromptTexts:
    """Where training names each class by its label alone."""
    labels = tuple(labels)
    names = [label for label in labels if label != NOTHING]
    return PromptTexts(tuple(prompt_of(label) for label in labels), said_otherwise(names))
