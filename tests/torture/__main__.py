"""``make torture``: sweeps that are killed, starved, stopped and misled at random moments, always the same ones.

After each the same command is typed again until it ends. The record must then be that of a sweep nobody disturbed:
every job once, the same bits, nothing RUNNING, no process left, the same artifacts.

Exit status: 0 it was so each time, 1 not; what differs is told with the number of its round.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.processes import Commands
from tests.torture.record import record_of
from tests.torture.rounds import BACKENDS, DISTURBANCES, Sweep, undisturbed


def main() -> int:
    parser = argparse.ArgumentParser(prog="make torture", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="SIGKILLs of the command (default: 100)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each other disturbance (default: 3)")
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="these only; may be given again")
    parser.add_argument("--only", action="append", choices=DISTURBANCES, help="these only; may be given again")
    parser.add_argument("--seed", type=int, default=12)
    given = parser.parse_args()
    backends = given.backend or list(BACKENDS)
    began, troubles, done = time.monotonic(), [], Counter()
    with Commands() as commands, tempfile.TemporaryDirectory(prefix="torture-") as name:
        expected = undisturbed(Path(name), commands, backends)
        for disturbance, (disturb, on) in DISTURBANCES.items():
            number, possible = 0, [backend for backend in backends if backend in on]
            if (given.only and disturbance not in given.only) or not possible:
                continue
            while (done[disturbance] < given.kills) if disturbance == "kill" else (number < given.rounds):
                backend = possible[number % len(possible)]
                folder = Path(name) / f"{disturbance}-{number}".replace(" ", "-")
                sweep = Sweep(folder, commands, backend, expected[backend][1], f"{given.seed} {disturbance} {number}")
                limit = given.kills - done[disturbance]
                faults, found = disturb(sweep, limit)
                found += sweep.finish()
                found += [f"afterwards: {text}" for text in record_of(sweep).differences(expected[backend][0])]
                done[disturbance] += faults
                number += 1
                print(f"{disturbance} {number}, {backend}: {faults} faults, {len(found)} troubles", flush=True)
                for text in found:
                    print(f"    {text}", flush=True)
                troubles += found
                sweep.remove()
    told = ", ".join(f"{count} × {disturbance}" for disturbance, count in done.items())
    print(f"{told}: {len(troubles)} troubles in {time.monotonic() - began:.0f} s")
    return int(bool(troubles))


if __name__ == "__main__":
    sys.exit(main())
