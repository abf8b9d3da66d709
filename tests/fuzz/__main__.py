"""``make fuzz``: bad and odd command lines and CSV files by the hundred, always the same ones.

Exit status: 0 nothing was seen that must not be, 1 something was; it is told in groups, with the commands to see it.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from queue import SimpleQueue

from tests.fuzz.cases import Case, all_cases
from tests.fuzz.check import Breach, Ended
from tests.fuzz.run import Template, again, run, template
from tests.fuzz.tables import all_tables
from tests.processes import Commands

TOLD = 6  # cases that are named of each group


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="CASE", help="run these only, and show all they print")
    parser.add_argument("--kind", action="append", metavar="KIND", help="run those of this kind only: listed, csv, ...")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="run each Nth case only")
    parser.add_argument("--real", action="store_true", help="in new interpreters, at 3 to 7 s of processor time each")
    parser.add_argument("--workers", type=int, default=2, help="cases at a time (default: 2)")
    given = parser.parse_args()
    cases = [*all_cases(), *all_tables()]
    if given.names:
        return _show([case for case in cases if case.name in given.names], given.real)
    kinds = given.kind or {case.kind for case in cases}
    return _all([case for case in cases if case.kind in kinds][:: given.every], given.workers, given.real)


def _show(cases: list[Case], real: bool) -> int:
    found = False
    with Commands(confined=True) as commands, template(commands) as made:
        for case in cases:
            folder = Path(tempfile.mkdtemp(prefix=f"{case.name}-"))
            ended, breaches = run(case, commands, made, real=real, keep=folder)
            print(f"$ cd {folder}; {case.line}\n{ended.out}{ended.err}{ended.stuck}status {ended.status}")
            print("\n".join(f"!! {breach.what}: {breach.line}" for breach in breaches))
            found = found or bool(breaches)
    return int(found)


def _all(cases: list[Case], workers: int, real: bool) -> int:
    began, numbers = time.monotonic(), count(1)
    statuses: Counter[int] = Counter()
    groups: defaultdict[str, list[tuple[Case, Ended, Breach]]] = defaultdict(list)
    with ThreadPoolExecutor(workers) as pool:
        parents: SimpleQueue[Commands] = SimpleQueue()
        started = [Commands(confined=True) for _ in range(workers)]
        for parent in started:
            parents.put(parent)
        with template(started[0]) as made:
            for case, ended, breaches in pool.map(lambda case: _one(case, parents, made, real), cases):
                statuses[ended.status] += 1
                for breach in breaches:
                    groups[breach.signature].append((case, ended, breach))
                print(f"\r{next(numbers)}/{len(cases)}", end="", file=sys.stderr, flush=True)
        for parent in started:
            parent.__exit__()
    print(file=sys.stderr)
    for signature, met in sorted(groups.items(), key=lambda group: -len(group[1])):
        print(f"{len(met)} × {signature}")
        for case, _, breach in met[:TOLD]:
            line, said = _shown(case.line), _shown(breach.line)
            print(f"    $ {line}\n      {said}\n      again: {again(case)}")
    ended_so = ", ".join(f"{number} with status {status}" for status, number in sorted(statuses.items()))
    print(f"{len(cases)} cases ({ended_so}) in {time.monotonic() - began:.0f} s: {len(groups)} kinds of breach")
    return int(bool(groups))


def _shown(text: str, most: int = 200) -> str:
    """A text for a terminal, not too long."""
    plain = text.encode("unicode_escape").decode()
    return plain if len(plain) <= most else f"{plain[: most // 2]} … {plain[-most // 2 :]}"


def _one(case: Case, parents: "SimpleQueue[Commands]", made: Template, real: bool) -> tuple[Case, Ended, list[Breach]]:
    commands = parents.get()
    try:
        return (case, *run(case, commands, made, real=real))
    finally:
        parents.put(commands)


if __name__ == "__main__":
    sys.exit(main())
