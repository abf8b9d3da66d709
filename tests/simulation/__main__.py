"""Measure everything, write the page and the table, and show the page."""

import csv
from pathlib import Path

from rich.console import Console

from src.comparison.calibration import TABLE
from tests.simulation.page import page
from tests.simulation.rates import Proof, prove, table

PAGE = Path(__file__).parents[2] / "experiments" / "statistics.md"


def write(proof: Proof, page_file: Path = PAGE, table_file: Path = TABLE) -> None:
    """Write what is measured as a page of Markdown and as CSV."""
    page_file.write_text(page(proof), encoding="utf-8")
    rows = table(proof.equal)
    with table_file.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Measure, write and show."""
    console = Console()
    write(prove())
    console.print(PAGE.read_text(encoding="utf-8"), markup=False, highlight=False, soft_wrap=True)
    console.print(f"Written to {PAGE} and {TABLE}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
