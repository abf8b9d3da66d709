"""Small words that every room's sentences need: numbers with nouns, lists, long texts, paths, what was likely meant."""

import os
import shlex
import shutil
import stat
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


def plural(noun: str, number: int) -> str:
    """The noun for so many: `row`, `rows`."""
    return noun if number == 1 else f"{noun}s"


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 row`, `2 rows`."""
    return f"{number:,} {plural(noun, number)}"


def first_of(words: Iterable[object], most: int = 10) -> str:
    """Words with commas: `a, b, c`; of more than `most` the first, and how many more: `a, b and 7 more`."""
    every = [str(word) for word in words]
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")


def listed(words: Iterable[object]) -> str:
    """Words in a sentence: `a`, `a and b`, `a, b and c`."""
    *before, last = map(str, words)
    return f"{', '.join(before)} and {last}" if before else last


def shortened(text: str) -> str:
    """A text of at most 60 characters; three points show where it was cut."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def special_file(mode: int) -> str:
    """What a file is, from its mode (`os.stat`), if it is no regular one: `a device`, `a pipe`, ..."""
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def no_such_user(path: str) -> str:
    """What to say of a path that begins with ``~`` and the name of nobody."""
    user = path.partition("/")[0][1:]
    return f"{path!r} begins with the folder of a user {user!r}, who is not here; write the folder in full."


def not_installed(package: str) -> str:
    """What to say of a package of requirements.lock that the small installation leaves out."""
    without_make = runnable("python -m pip install -r requirements.lock")
    return f"{package} is not installed. `make install` adds it (without make: {without_make})"


def runnable(command: str) -> str:
    """A command of this environment, `python` or `mlflow`, as it is typed here: bare where a shell finds it."""
    program, space, arguments = command.partition(" ")
    folder, here = Path(sys.executable).parent, Path.cwd()
    if program == "python" and not (folder / program).exists():  # but python3, or python.exe
        program = Path(sys.executable).name
    found = shutil.which(program)
    if found is None or Path(found).parent != folder:
        if program == "mlflow":  # which starts other programs of the environment
            program = f"PATH={shlex.quote(str(folder))}:$PATH {program}"
        else:
            place = folder.relative_to(here) if folder.is_relative_to(here) else folder
            program = shlex.quote(os.path.join(place, program))  # a shell takes `./python`, and no `python`, for a file
    return program + space + arguments


def near(word: str, choices: Iterable[str], most: int = 1) -> list[str]:
    """The choices that a word may stand for: spelled like it, letter case and hyphens aside, else begun by it."""

    def plain(text: str) -> str:
        return text.casefold().replace("-", "_")

    known = {plain(choice): choice for choice in choices}
    begun = [choice for choice in known if len(word) > 2 and choice.startswith(plain(word))]
    return [known[choice] for choice in (get_close_matches(plain(word), known, n=most) or begun)[:most]]


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """` Did you mean 'sigmoid'?` with the nearest choice; nothing if none is near."""
    return "".join(f" Did you mean {choice!r}?" for choice in near(word, choices))
