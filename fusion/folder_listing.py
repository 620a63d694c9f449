"""Which files of a folder of one's own are examples, and which are left out, and why.

`FOLDER/<label>/<stem>.<suffix>`: one sub-folder per class; a picture and a sound of the same stem are one example.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgefuse.fusion.errors import DataError
from edgefuse.fusion.tokenizer import words_in

Sense = Literal["image", "audio"]

SUFFIXES: Mapping[Sense, tuple[str, ...]] = {
    "image": (".png", ".jpg", ".jpeg", ".bmp", ".webp"),
    "audio": (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff"),
}
"""What is read, in upper case too."""

WHAT: Mapping[Sense, str] = {"image": "pictures", "audio": "sounds"}

HIDDEN = "hidden or of the system"
UNREAD = "of kinds that are not read"
OF_THE_SYSTEM = {
    "__pycache__", "__macosx", "@eadir", "@recycle", "lost+found", "$recycle.bin", "system volume information",
    "thumbs.db", "ehthumbs.db", "desktop.ini",
}  # fmt: skip
"""What Python, macOS, network disks, file systems and Windows put into folders, in lower case."""

LONGEST_LABEL = 100


class LeftOut:
    """Files and folders that are no examples, by reason."""

    def __init__(self) -> None:
        self._paths: dict[str, list[Path]] = {}

    def add(self, reason: str, path: Path) -> None:
        """One more."""
        self._paths.setdefault(reason, []).append(path)

    def in_words(self, folder: Path) -> str | None:
        """One line with every reason, its count, and an example of it; None where nothing is left out."""
        parts = [
            f"{len(paths)} {reason} ({kinds_of(paths)}such as {shown(paths[0].relative_to(folder))})"
            for reason, paths in self._paths.items()
        ]
        return f"left out: {', '.join(parts)}" if parts else None


def kinds_of(paths: Sequence[Path], most: int = 6) -> str:
    """The suffixes of files that are of several, the most frequent first."""
    counts = Counter(path.suffix.lower() or "no suffix" for path in paths)
    if len(counts) < 2:
        return ""
    return "".join(f"{count} {shown(kind)}, " for kind, count in counts.most_common(most))


@dataclass(frozen=True, slots=True)
class ClassFolder:
    """One class; examples: its files by stem and sense, in the order of the stems."""

    path: Path
    examples: Mapping[str, Mapping[Sense, Path]]

    @property
    def label(self) -> str:
        return self.path.name


def list_folder(folder: Path, left_out: LeftOut) -> list[ClassFolder]:
    """The classes, sorted; what is none of their examples goes to `left_out`.

    Raises `DataError`, one line, for fewer than two classes, a class without examples, two files of one sense and stem,
    and names that cannot be a label.
    """
    if not folder.is_dir():
        raise DataError(f"{shown(folder)}: no such folder; expected one with a sub-folder per class")
    paths = [path for path in entries(folder) if is_class(path, left_out)]
    if len(paths) < 2:
        said = left_out.in_words(folder)
        raise DataError(
            f"{shown(folder)}: expected a folder with a sub-folder per class (two at least), found {len(paths)}"
            + (f"; {said}" if said else "")
        )
    check_labels(paths)
    check_apart(paths)
    return [list_class(path, left_out) for path in paths]


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, sorted."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{shown(folder)}: cannot be read: {error.strerror}") from error


def is_class(path: Path, left_out: LeftOut) -> bool:
    """Whether it is the folder of a class."""
    if is_hidden(path):
        left_out.add(HIDDEN, path)
    elif not path.is_dir():
        left_out.add("beside the folders of the classes", path)
    elif path_without_links(path) in (path.parent, *path.parent.parents):
        left_out.add("links to a folder around them", path)
    else:
        return True
    return False


def path_without_links(path: Path) -> Path:
    """Where it really lies; a loop of links raises nothing."""
    return Path(os.path.realpath(path))


def is_hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name.lower() in OF_THE_SYSTEM


def list_class(path: Path, left_out: LeftOut) -> ClassFolder:
    """The examples of one class."""
    examples: dict[str, dict[Sense, Path]] = {}
    for file, sense in class_files(path, left_out):
        example = examples.setdefault(file.stem, {})
        if sense in example:
            raise DataError(
                f"{shown(path)}: {shown(example[sense].name)} and {shown(file.name)} are two {WHAT[sense]} of one "
                f"example, since they have one stem; rename one of them"
            )
        example[sense] = file
    if not examples:
        said = left_out.in_words(path.parent)
        raise DataError(
            f"{shown(path)}: no pictures ({' '.join(SUFFIXES['image'])}) or sounds ({' '.join(SUFFIXES['audio'])}) in "
            f"it; take the folder away or fill it" + (f"; {said}" if said else "")
        )
    return ClassFolder(path, examples)


def class_files(path: Path, left_out: LeftOut) -> Iterator[tuple[Path, Sense]]:
    """The pictures and sounds of one class."""
    for file in entries(path):
        sense = next((sense for sense, suffixes in SUFFIXES.items() if file.suffix.lower() in suffixes), None)
        if is_hidden(file):
            left_out.add(HIDDEN, file)
        elif not file.exists():
            left_out.add("links that lead nowhere", file)
        elif file.is_dir():
            left_out.add("folders within a class", file)
        elif sense is None:
            left_out.add(UNREAD, file)
        else:
            yield file, sense


def check_labels(paths: Sequence[Path]) -> None:
    """Raises `DataError` for a folder whose name cannot be a label, or reads as another's."""
    read_as: dict[tuple[str, ...], Path] = {}
    for path in paths:
        label = path.name
        if not label.isprintable():
            raise DataError(f"{shown(path)}: a label holds no control characters and no bytes that are not UTF-8")
        if not any(character.isalnum() for character in label) or label != label.strip() or label.startswith("-"):
            raise DataError(f"{shown(path)}: a label has a letter or digit, no '-' before it and no space around it")
        if len(label) > LONGEST_LABEL:
            raise DataError(f"{shown(path)}: a label has at most {LONGEST_LABEL} characters, this one {len(label)}")
        words = words_in(label)
        if words in read_as:
            raise DataError(f"{shown(read_as[words])} and {shown(label)} read as the same label; rename or join them")
        read_as[words] = path


def check_apart(paths: Sequence[Path]) -> None:
    """Raises `DataError` where two classes are one folder."""
    real: dict[Path, Path] = {}
    for path in paths:
        other = real.setdefault(path_without_links(path), path)
        if other != path:
            raise DataError(f"{shown(other)} and {shown(path.name)} are the same folder; take the link away")


def shown(name: str | os.PathLike[str]) -> str:
    """A name as it can be printed: in quotes and escaped where it holds what a terminal would obey."""
    text = str(name)
    return text if text.isprintable() else repr(text)
