"""``python -m src.studies``: writes the page of all studies in experiments/, from what they recorded.

`make experiments` runs the studies into a store of their own and then this.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from src.arguments import Arguments, entry
from src.comparison.outcome import compare_sweeps
from src.language import ENGLISH, choose
from src.report.comparison import build_report
from src.report.studies import figures, page, study_names
from src.tracking.opening import open_store
from src.tracking.reading import StoredRecord
from src.tracking.sweeps import find_sweeps, read_sweep

FOLDER = Path(__file__).resolve().parents[1] / "experiments"
PAGE = "README.md"


@entry
def main(arguments: Sequence[str] | None = None) -> int:
    """The program. Returns the exit status."""
    choose(ENGLISH)
    parser = Arguments("src.studies", (__doc__ or "").partition("\n")[0])
    parser.add_store()
    store = open_store(parser.parse_args(arguments).uri)
    studies = {}
    for name in study_names(FOLDER):
        (run,) = find_sweeps(store, [name])
        sweep = read_sweep(store, run)
        studies[name] = sweep, build_report(StoredRecord(store), [sweep], compare_sweeps([sweep]))
    (FOLDER / "figures").mkdir(exist_ok=True)
    for name, content in figures(studies).items():
        (FOLDER / "figures" / name).write_bytes(content)
    (FOLDER / PAGE).write_text(page(studies), encoding="utf-8")
    print(f"Written to {FOLDER / PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
