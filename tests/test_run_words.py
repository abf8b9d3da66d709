"""Words that Hydra alone takes in quotes inside quotes only, such as those in other letters than ASCII's."""

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from src.escaping import readable
from tests.stores import Record

WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1).filter(lambda word: not word.isascii())


def read(argument: str) -> object:
    return OverridesParser.create().parse_override(readable(argument)).value()


@given(WORDS, WORDS)
def test_a_word_is_read_as_it_is_typed(first, second):
    assert read(f"data.path={first}.csv") == f"{first}.csv"
    assert read(f"data.path=/folder/{first} {second}.csv") == f"/folder/{first} {second}.csv"
    assert read(f"data.drop=[{first}, {second}]") == [first, second]
    assert read(f"data.separator={first};~#&!<>^") == f"{first};~#&!<>^"
    assert read("comparison.baselines=[bp,CalibratedClassifierCV(SVC)]") == ["bp", "CalibratedClassifierCV(SVC)"]
    assert readable(f"data.path='{first}',\"{second}\"") == f"data.path='{first}',\"{second}\""


@pytest.mark.parametrize(
    "argument",
    [
        "-m",
        "~data.path",
        "seed=",
        "a=null, +.5e-3",
        "a=/b-c_d/$e%f*g@h?i|j",
        "seed=0,1",
        "data.path=a.csv",
        "data.separator='\t'",
        "a=[1,2]",
        "a={b: ${oc.env:HOME}}",
    ],
)
def test_what_hydra_reads_anyway_is_left_alone(argument):
    assert readable(argument) == argument


@pytest.mark.parametrize("name", ["我的 数据 (1).csv", "数据,2024.csv", "my data (1).csv", "a,b.csv"])
def test_a_file_s_name_that_hydra_cannot_read_is_told_with_the_quotes_it_needs(tmp_path, name):
    record = Record.empty(tmp_path)
    (tmp_path / name).write_text("a,b\n1,x\n2,y\n3,x\n4,y\n", encoding="utf-8")
    refused = record.single("data=csv", f"data.path={name}")
    assert refused.err == (
        f"error: data.path: the name of the file {name} needs quotes inside quotes: 'data.path=\"{name}\"'.\n"
    )
    (typed,) = shlex.split(refused.err.rpartition(": ")[2].rstrip(".\n"))
    ended = record.single("data=csv", typed, "training.epochs=2", "cv.folds=2")
    assert ended.status == 0, ended.err


def test_a_table_in_chinese(tmp_path):
    record = Record.empty(tmp_path)
    for modulus, name in enumerate(("数据", "其他"), 3):
        rows = [f"{place},{place % modulus},{place % 7},{'甲乙'[place % 2]}" for place in range(20)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["编号,长度,宽度,类别", *rows]), encoding="utf-8")
    ended = record.sweep(
        "data=csv", "data.path=数据.csv,其他.csv", "data.target=类别", "data.drop=[编号]", "training.epochs=2"
    )
    assert ended.status == 0, ended.err
    assert "数据" in ended.out
    assert "其他" in ended.out
