"""What is shown in Chinese: the same numbers as in English, nothing left in English, letters that the fonts have."""

import html
import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest
from fontTools.ttLib import TTCollection, TTFont
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import font_manager
from matplotlib.text import Text
from rich.cells import cell_len
from rich.console import Console

from src import language
from src.comparison.outcome import Outcome
from src.report import style
from src.report.answer import answer
from src.report.figures.predictions import confusion_matrices
from src.report.pictures import font_note
from src.report.style import to_png, to_svg
from src.report.summary import print_summary
from src.report.tables import leaderboard_cells
from src.report.terminal import paragraph
from src.report.verdicts import comparison_cells
from tests.commandline import command
from tests.report.conftest import four_models, job, predictions
from tests.stores import Homework, Record
from tests.sweeps import outcome_of

CHINESE = re.compile("[\u4e00-\u9fff]")
# English words that stay: names of people, methods, measures, models, data, columns and programs, keys and files.
NAMES = """
    AUC Bengio Bonferroni Brier Corani Benavoli F Holm Nadeau ROC MLflow SHA Wilcoxon Wilson
    bp logistic softmax sklearn ex exam homework P p s t
    cv repeats experiments statistics md comparison html
"""
needs_fonts = pytest.mark.skipif(
    not any("CJK" in name or "Hei" in name or "Han" in name for name in style._fonts()),
    reason="no font with Chinese letters is installed",
)


@pytest.fixture
def chinese() -> None:
    language.choose("zh")


def left_in_english(text: str, *names: str) -> set[str]:
    """The English words of a text that are no names."""
    return set(re.findall("[A-Za-z]+", text)) - {*NAMES.split(), *names}


def numbers(text: str) -> list[str]:
    return sorted(re.findall(r"[+−-]?\d+(?:\.\d+)?%?", text))


OUTCOMES = [
    outcome_of([job("bp", 0.8), job("logistic", 0.812), job("softmax", 0.775)]),
    outcome_of([job("bp", 0.9), job("logistic", 0.6), job("softmax", 0.3)]),
    outcome_of([job(name, 0.8, dataset=data, data=data * 16) for name in ("bp", "softmax") for data in "abc"]),
    outcome_of([job("bp", 0.8, {"l2": l2, "learning_rate": rate}) for l2 in (0.0, 0.1) for rate in (0.1, 1.0)]),
    four_models(),
]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=["near", "far", "several sets", "settings", "every verdict"])
def test_both_languages_say_the_same_numbers_and_each_its_own_words(outcome: Outcome) -> None:
    said = {}
    for lang in language.LANGUAGES:
        with language.speaking(lang):
            tables = leaderboard_cells(outcome), comparison_cells(outcome)
            texts = [text for cells in tables for text in (*cells.notes, *(" ".join(row) for row in cells.rows))]
            said[lang] = " ".join([answer(outcome), *texts])
    assert numbers(said["en"])
    assert numbers(said["zh"]) == numbers(said["en"])
    assert left_in_english(said["zh"], "a", "b", "c", "l", "learning", "rate") == set()


@pytest.fixture(scope="module")
def compared(homework: Homework, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """What `src.compare --lang zh` prints of the homework, and the folder it writes."""
    folder = tmp_path_factory.mktemp("chinese")
    ended = command("--lang", "zh", "--uri", homework.uri, "--output", str(folder), module="src.compare")
    assert ended.status == 0, ended.err
    return ended.out, folder


def test_nothing_printed_is_left_in_english(compared: tuple[str, Path]) -> None:
    printed, folder = compared
    assert "准确率" in printed
    printed, told = re.subn("运行者：.*?。", "", printed.replace(str(folder), ""), flags=re.S)
    assert told == 1
    assert left_in_english(printed) == set()


def told_on(page: str) -> tuple[str, int]:
    """What a page says in words, its pictures' captions among it, and how many facts that are recorded it leaves out.

    Recorded are keys and values of the configuration, the data, digests, versions.
    """
    assert '<html lang="zh-CN">' in page
    body = re.sub(r"<code>.*?</code>|data:image[^\"]*|<style>.*?</style>", "", page, flags=re.S)
    recorded = r"<dt>(数据|折|变化的键|固定的键|运行者|版本|机器|提交|MLflow)</dt>\s*<dd>.*?</dd>"
    told, facts = re.subn(recorded, "", body, flags=re.S)
    captions = re.findall(r'(?:alt|aria-label)="([^"]*)"', told)
    assert captions
    assert all(CHINESE.search(caption) for caption in captions)
    return html.unescape(" ".join([re.sub(r"<[^>]*>", " ", told), *captions])), facts


def test_nothing_on_the_page_is_left_in_english(compared: tuple[str, Path]) -> None:
    told, facts = told_on((compared[1] / "comparison.html").read_text(encoding="utf-8"))
    assert facts == 9
    assert left_in_english(told) == set()


def test_held_out_rows_warnings_of_fits_and_reused_jobs_are_told_in_chinese(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"{row * 7 % 20},{row * 3 % 11},{'红蓝'[row % 2]},{'是否'[row // 12]}" for row in range(24)]
    for name, own in (("学习.csv", rows), ("留出.csv", [*rows[8:16], "3,4,绿,是"])):
        (tmp_path / name).write_text("\n".join(["甲,乙,颜色,类别", *own]), encoding="utf-8")
    record = Record.empty(tmp_path)
    monkeypatch.setenv("COLUMNS", "500")
    typed = ["data=csv", "data.path=学习.csv", "data.target=类别", "data.test=留出.csv", "cv.folds=3", "model=sklearn"]
    typed.append("model.estimator=sklearn.linear_model.LogisticRegression")
    for limits in ("2,3", "2,3,4"):
        ended = record.run("-m", "lang=zh", *typed, f"+model.params.max_iter={limits}")
        assert ended.status == 0, ended.err
    assert "3 个任务中有 2 个取自记录" in ended.out
    assert "运行者：" in ended.out
    pages = (told_on(record.artifact(sweep, "comparison.html"))[0] for sweep in record.parents())
    (page,) = (page for page in pages if "取自记录：3 个任务中的 2 个" in page)
    for told in (ended.out + ended.err, page):
        for shown in (
            "留出.csv：9 行",
            "独自判对：",
            "9 行中有 8 行也在“学习”中",
            "列 '颜色'：有 1 个值在训练模型时没有出现过",
        ):
            assert shown in told
        # The library's own words, commands, addresses, keys, digests, and who ran it.
        said, warned = re.subn("ConvergenceWarning: .*", "", told)
        assert warned == 1
        said = re.sub(r"python -m .*|make ui|https?://.*|test/accuracy|SHA-256 \w+|运行者：.*|页面：.*", "", said)
        assert left_in_english(said, "LogisticRegression", "max", "iter", "model", "Wilson", "McNemar", "csv") == set()


@needs_fonts
def test_nothing_in_the_figures_is_left_in_english(compared: tuple[str, Path]) -> None:
    files = sorted((compared[1] / "figures").glob("*.svg"))
    assert len(files) == 7
    for file in files:
        texts = ["".join(one.itertext()) for one in ElementTree.parse(file).iter() if one.tag.endswith("}text")]
        assert CHINESE.search(" ".join(texts)), file.name
        assert left_in_english(" ".join(texts)) == set(), file.name


@needs_fonts
def test_the_fonts_have_every_letter_of_the_catalogue() -> None:
    """By fontTools, which reads the fonts' own tables."""
    known: set[int] = set()
    for name in style._fonts():
        file = font_manager.findfont(name)
        fonts = TTCollection(file).fonts if str(file).endswith(".ttc") else [TTFont(file)]
        known |= fonts[0].getBestCmap().keys()
    assert {letter for letter in language.letters("zh") if ord(letter) not in known} == set()


@pytest.fixture
def unlisted_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """As where matplotlib's list of fonts holds its own alone."""
    own = [font for font in font_manager.fontManager.ttflist if matplotlib.get_data_path() in font.fname]
    caches = style._fonts, style._known_characters
    with monkeypatch.context() as patch:
        patch.setattr(font_manager.fontManager, "ttflist", own)
        for cache in caches:
            cache.cache_clear()
        yield patch
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def without_fonts(unlisted_fonts: pytest.MonkeyPatch) -> None:
    """As on a machine that has no others."""
    unlisted_fonts.setattr(font_manager, "findSystemFonts", list)


@needs_fonts
@pytest.mark.parametrize("named", [style._WIDE_FONTS, ()], ids=["known by name", "of any name"])
def test_a_font_that_was_installed_later_is_found(
    unlisted_fonts: pytest.MonkeyPatch, chinese: None, named: tuple[str, ...]
) -> None:
    unlisted_fonts.setattr(style, "_WIDE_FONTS", named)
    assert not style.lacks_letters()


def test_without_a_font_the_words_are_english_and_names_stay(without_fonts: None, chinese: None) -> None:
    drawn = confusion_matrices({"bp": predictions()}, ["录取", "no", "x"])
    assert {"true class", "predicted class"} <= {text.get_text() for text in drawn.findobj(Text)}
    assert "录取" in to_svg(drawn)
    assert to_png(drawn)
    note = font_note()
    assert note is not None
    assert note.startswith("图中的文字是英文")
    assert "fonts-noto-cjk" in note
    language.choose("en")
    assert font_note() is None


@needs_fonts
def test_with_a_font_there_is_nothing_to_say(chinese: None) -> None:
    assert font_note() is None


def test_a_terminal_in_gbk_is_written_to_in_chinese(chinese: None, three_models: Outcome) -> None:
    page = io.TextIOWrapper(io.BytesIO(), encoding="gbk")
    print_summary(Console(file=page, width=100, legacy_windows=False), three_models)
    page.flush()
    text = page.buffer.getvalue().decode("gbk")  # type: ignore[attr-defined]
    assert "准确率" in text
    assert "0.800 ± 0.032" in text
    assert "\\u" not in text


@given(
    st.lists(st.sampled_from(["准确率", "折，", "（折）", " bp ", " 0.8 ", " (cv.repeats)。", "“轮”"]), min_size=1),
    st.integers(16, 60),
)
def test_a_chinese_paragraph_is_broken_between_letters_and_not_before_a_stop(pieces: list[str], width: int) -> None:
    text = " ".join("".join([*pieces, "折"]).split())
    options = Console(file=io.StringIO(), width=width, legacy_windows=False).options
    lines = paragraph(text, options).plain.split("\n")
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(cell_len(line) <= width for line in lines)
    assert all(line[0] not in "，。）”" and line[-1] not in "（“" for line in lines)
