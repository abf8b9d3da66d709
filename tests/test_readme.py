"""What README.md shows is what the program prints, the commands it names exist, and README.zh.md shows the same."""

import re
from pathlib import Path

import pytest

from tests.commandline import command
from tests.stores import Homework

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "README.zh.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```.*?^```$|(?:^ {4}[^\n]*\n)+", re.M | re.S)


def block_after(comment: str, page: str = README) -> str:
    """The fenced block that follows a comment in a page."""
    found = re.search(rf"<!-- {re.escape(comment)}.*?-->\s*```text\n(.*?)```", page, re.S)
    assert found, comment
    return found[1]


def without_what_is_measured(text: str) -> list[str]:
    """Lines without times, identifiers and the port, which differ from run to run, and typed as in an environment."""
    text = text.replace(".venv/bin/python", "python").replace("make ui", "python -m src.ui")
    text = re.sub(r"\d+\.\d+ s\b", "TIME", text)
    text = re.sub(r"127.0.0.1:50\d\d", "SERVER", re.sub(r"[0-9a-f]{32}", "ID", text))
    return [re.sub(r" +", " ", line).strip() for line in text.splitlines()]


def test_the_picture_of_the_result_is_what_the_program_prints(homework: Homework) -> None:
    shown = block_after("what `python -m src.run experiments=homework5` prints")
    assert without_what_is_measured(shown) == without_what_is_measured(homework.ended.out)


def test_the_picture_of_the_result_in_chinese_is_what_the_program_prints(
    homework: Homework, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(homework.folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", homework.uri)
    again = command("experiments=homework5", "lang=zh")
    of_reuse = ("取自记录", "运行者：")  # said only where jobs are reused
    printed = [line for line in without_what_is_measured(again.out) if not any(word in line for word in of_reuse)]
    shown = without_what_is_measured(block_after("`python -m src.run experiments=homework5 lang=zh`", CHINESE))
    assert printed == shown


@pytest.mark.parametrize(
    "page, lang, comment",
    [
        (README, "en", "from what `python -m src.trace trace=derivation_4` prints"),
        (CHINESE, "zh", "`python -m src.trace trace=derivation_4 lang=zh`"),
    ],
    ids=["English", "Chinese"],
)
def test_the_update_shown_is_what_the_program_prints(
    page: str, lang: str, comment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    printed = command("trace=derivation_4", f"lang={lang}", module="src.trace").out.splitlines()
    shown = block_after(comment, page).splitlines()
    assert any(printed[start : start + len(shown)] == shown for start in range(len(printed)))


def test_every_key_in_the_table_of_options_exists() -> None:
    from omegaconf import OmegaConf

    from src.config import check, flatten

    keys = set(flatten(check({}).model_dump()))
    sections = {key.partition(".")[0] for key in keys}
    named = {key for cell in re.findall(r"^\| (`.*?) \|", README, re.M) for key in re.findall(r"`([\w.]+)`", cell)}
    assert named, "the table of options is gone"
    assert all(key in keys or key in sections or f"{key}.patience" in keys for key in named), named - keys
    assert OmegaConf.load(ROOT / "conf" / "config.yaml").seed == 0


def test_the_table_of_keys_is_that_of_the_schema() -> None:
    from src.config.keys import rows

    shown = README.partition("<!-- keys: python -m src.config.keys -->")[2].partition("<!-- end of keys -->")[0]
    assert shown.splitlines()[3:] == list(rows()), "python -m src.config.keys prints the rows as they are now"


def test_every_make_target_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`?make ([a-z]+)`?", README)):
        assert re.search(rf"^{target}:", makefile, re.M), target


@pytest.mark.parametrize("page", [README, CHINESE], ids=["English", "Chinese"])
def test_every_file_named_exists(page: str) -> None:
    paths = [path for path in re.findall(r"\]\(([^)#]+)", page) if not path.startswith("http")]
    assert paths
    for path in paths:
        assert (ROOT / path).exists(), path


def test_the_benchmarks_shown_are_those_measured() -> None:
    results = ROOT / "tests" / "benchmarks" / "results"
    measured = "".join(page.read_text() for page in results.glob("*.md"))
    shown = README.partition("<!-- benchmark -->")[2].partition("<!-- end -->")[0]
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    assert rows
    assert all(row in measured for row in rows)


def without_generated(page: str) -> str:
    """The page without what a program writes: the table of keys and the section on speed, in README.md alone; what it
    prints of the homework, which each page shows in its language.
    """
    generated = r"<!-- keys\b.*?<!-- end of keys -->|<!-- benchmark\b.*?<!-- end -->|^```text\nhomework5.*?^```$"
    return re.sub(generated, "", page, flags=re.S | re.M)


def code_blocks(page: str) -> list[str]:
    """The fenced and the indented blocks in their order, without what each page has in its language: comments, and what
    a program prints, of which the numbers stay.
    """

    def in_any_language(block: str) -> str:
        if not block.startswith("```text"):
            return re.sub(r"(^|[ \t]+)# .*$", "", block, flags=re.M)
        typed = re.match(r"```text\n(?:\$ (?:.*\\\n)*.*\n)?", block)
        assert typed
        return typed[0] + " ".join(sorted(re.findall(r"\d+(?:\.\d+)?", block[typed.end() :])))

    return [in_any_language(block) for block in BLOCK.findall(without_generated(page))]


def test_the_chinese_page_has_the_same_code() -> None:
    assert code_blocks(README)
    assert code_blocks(CHINESE) == code_blocks(README), "what changes in README.md changes in README.zh.md"


def test_the_chinese_page_has_the_same_headings() -> None:
    english, chinese = (re.findall(r"^#+ ", BLOCK.sub("", without_generated(page)), re.M) for page in (README, CHINESE))
    assert chinese == english


def test_the_chinese_tables_name_the_same_keys_and_values() -> None:
    english, chinese = (re.findall(r"^\| `.*", without_generated(page), re.M) for page in (README, CHINESE))
    assert english
    assert [re.findall("`.*?`", row) for row in chinese] == [re.findall("`.*?`", row) for row in english]


def test_the_pages_lead_to_each_other() -> None:
    assert "(README.zh.md)" in README
    assert "(README.md)" in CHINESE
