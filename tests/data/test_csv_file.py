"""A user's CSV file: what is read from it."""

import csv
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from src.data import load


@pytest.fixture
def read(tmp_path):
    """Write the text to a file and load it."""

    def write_and_load(text, **options):
        path = tmp_path / "table.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load("csv", path=path, **options)

    return write_and_load


PLAIN = "a,b,label\n1,2.5,yes\n3,-4e2,no\n5,.5,yes\n"


def test_the_last_column_is_the_target_and_labels_are_sorted(read, tmp_path):
    dataset = read(PLAIN)
    assert dataset.name == "table"
    assert dataset.source == str(tmp_path.resolve() / "table.csv")
    assert dataset.features.to_dict("list") == {"a": [1, 3, 5], "b": [2.5, -400, 0.5]}
    assert [str(kind) for kind in dataset.features.dtypes] == ["float64", "float64"]
    assert dataset.class_names == ("no", "yes")
    assert dataset.target.tolist() == [1, 0, 1]
    assert dataset.target.dtype == np.int64
    assert dataset.target_name == "label"
    assert dataset.sample_weight is None


@pytest.mark.parametrize("target", ["label", 0, -3])
def test_the_target_by_name_and_by_position(read, target):
    dataset = read("label,a,b\nyes,1,2\nno,3,4\nno,5,6\n", target=target)
    assert dataset.feature_names == ("a", "b")
    assert dataset.target.tolist() == [1, 0, 0]


def test_without_a_header_columns_are_numbered_and_may_be_named_so(read):
    text = "1,x,4\n2,y,5\n3,x,6\n"
    dataset = read(text, header=False, target="x1")
    assert dataset.feature_names == ("x0", "x2")
    assert dataset.class_names == ("x", "y")
    assert dataset.digest == read(text, header=False, target=1).digest


@pytest.mark.parametrize(
    "labels, class_names",
    [
        (["10", "9", "2", "9"], ("2", "9", "10")),
        (["1", "-1", "1"], ("-1", "1")),
        (["0.5", "1", "0.5"], ("0.5", "1")),
        (["10", "9", "b", "9"], ("10", "9", "b")),
        (["inf", "1", "1"], ("1", "inf")),
        (["否", "是", "是"], ("否", "是")),
        (['<b>"ja"</b>', "nein", "nein"], ('<b>"ja"</b>', "nein")),
        (["True", "False", "False"], ("False", "True")),
    ],
)
def test_labels_of_any_kind_keep_their_text(read, tmp_path, labels, class_names):
    with (tmp_path / "table.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["a", "b", "label"], *([i, i, label] for i, label in enumerate(labels))])
    dataset = load("csv", path=tmp_path / "table.csv")
    assert dataset.class_names == class_names
    assert [dataset.class_names[code] for code in dataset.target] == labels


def test_columns_without_a_number_are_categories_and_others_when_listed(read):
    text = "colour,zip,size,label\nred,010,1,a\nblue,10,2,b\nred,7,3,a\n"
    assert read(text).categorical_names == ("colour",)
    dataset = read(text, categorical=["zip"])
    assert dataset.categorical_names == ("colour", "zip")
    assert dataset.numeric_names == ("size",)
    assert dataset.feature_names == ("colour", "zip", "size")
    assert dataset.features["zip"].tolist() == ["010", "10", "7"]
    assert dataset.features["colour"].dtype == object
    assert read(text, categorical=[1]).digest == read(text, categorical=[-3]).digest == dataset.digest


def test_dropped_columns_are_neither_features_nor_the_target(read):
    text = "id,colour,size,label,remark\n1,red,1,a,x\n2,blue,2,b,\n3,red,3,a,z\n"
    dataset = read(text, drop=["id", -1])
    assert dataset.feature_names == ("colour", "size")
    assert dataset.target_name == "label"
    without = read("colour,size,label\nred,1,a\nblue,2,b\nred,3,a\n")
    assert dataset.digest == without.digest


def test_weights_are_a_column_of_their_own(read):
    text = "a,label,w\n1,x,0.5\n2,y,2\n3,x,1e3\n"
    dataset = read(text, weights="w")
    assert dataset.feature_names == ("a",)
    assert dataset.target_name == "label"  # the last column that is not the weights
    assert dataset.sample_weight.tolist() == [0.5, 2, 1000]
    assert read(text, weights=-1, target="label").digest == dataset.digest


def test_groups_and_given_folds_are_columns_of_their_own(read):
    text = "a,label,who,site\n1,x,p9,9\n2,y,p9,9\n3,x,p10,9.5\n4,y,p10,9.5\n5,x,p1,10\n6,y,p1,10\n"
    dataset = read(text, groups="who", fold="site")
    assert dataset.feature_names == ("a",)
    assert dataset.target_name == "label"  # the last column without another role
    assert (dataset.groups.tolist(), dataset.groups_name) == ([2, 2, 1, 1, 0, 0], "who")  # text is sorted as text
    assert dataset.fold.tolist() == [0, 0, 1, 1, 2, 2]  # numbers by value
    assert dataset.groups.dtype == dataset.fold.dtype == np.int64
    assert read(text, groups=2, fold=-1).digest == dataset.digest
    plain = read(text)
    assert (plain.groups, plain.groups_name, plain.fold) == (None, None, None)


def test_groups_and_given_folds_may_be_one_column(read):
    text = "a,site,label\n1,A,x\n2,A,y\n3,B,x\n4,B,y\n"
    dataset = read(text, groups="site", fold="site")
    assert dataset.groups.tolist() == dataset.fold.tolist() == [0, 0, 1, 1]


def test_long_identifiers_are_told_apart_though_they_are_one_float(read):
    one, other = "9007199254740992", "9007199254740993"
    assert float(one) == float(other)
    text = f"a,who,label\n1,{other},x\n2,{one},y\n3,{other},x\n4,{one},y\n"
    assert read(text, groups="who").groups.tolist() == [1, 0, 1, 0]


def test_missing_values_are_left_for_the_fold_to_fill_in(read):
    dataset = read("a,b,label\n1,u,x\n?,v,y\n,NA,x\nNaN, nan ,y\n", missing="impute")
    assert dataset.features["a"].isna().tolist() == [False, True, True, True]
    assert dataset.features["b"].tolist()[:2] == ["u", "v"]
    assert all(isinstance(value, float) and math.isnan(value) for value in dataset.features["b"][2:])


def test_white_space_blank_lines_quotes_line_ends_and_a_byte_order_mark(read):
    dataset = read(
        b'\xef\xbb\xbf a , "b, c",label \r\n\r\n 1, "x ""y""",  yes\r\n2,"two\r\nlines",no\r\n   \r\n3, z ,yes'
    )
    assert dataset.feature_names == ("a", "b, c")
    assert dataset.features["b, c"].tolist() == ['x "y"', "two\r\nlines", "z"]
    assert dataset.class_names == ("no", "yes")


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_separators(read, separator):
    assert read(PLAIN.replace(",", separator), separator=separator).digest == read(PLAIN).digest


def test_columns_aligned_with_spaces(read):
    # The notation of the course's ex4x.dat.
    dataset = read(
        "   5.55e+01   6.95e+01  1\n   4.1e+01   8.15e+01  1 \n   3.65e+01   5.3e+01  0\n", separator=" ", header=False
    )
    assert dataset.features.to_numpy().tolist() == [[55.5, 69.5], [41, 81.5], [36.5, 53]]
    assert dataset.target.tolist() == [1, 1, 0]


def test_names_in_chinese_html_and_quotes(read, tmp_path):
    names = ["身高（厘米）", "<script>alert('x')</script>", 'say "hi", it\'s', "λ=1; a&b"]
    with (tmp_path / "数据 <1>.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [[*names, "类别"], [1, 2, "甲", 3, "好"], [4, 5, "乙", 6, "坏"], [7, 8, "甲", 9, "好"]]
        )
    dataset = load("csv", path=tmp_path / "数据 <1>.csv", categorical=["λ=1; a&b"], target="类别")
    assert dataset.name == "数据 <1>"
    assert dataset.feature_names == tuple(names)
    assert dataset.class_names == ("坏", "好")
    assert dataset.features["λ=1; a&b"].tolist() == ["3", "6", "9"]


def test_a_constant_feature_and_numbers_as_names_are_fine(read):
    assert read("0,1,2\n7,1,0\n7,2,1\n7,3,1\n").feature_names == ("0", "1")


def test_numbers_are_read_to_the_last_bit(read):
    texts = [
        "0.1",
        "1e-320",
        "123456789012345678",
        "2.2250738585072011e-308",
        "0.30000000000000004",
        "9007199254740993",
    ]
    rows = "".join(f"{text},{i % 2}\n" for i, text in enumerate(texts))
    assert read("a,label\n" + rows).features["a"].tolist() == [float(text) for text in texts]


# Text that a file can hold and a cell keeps: no white space at its ends, no surrogates, no zero byte.
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8).filter(
    lambda text: text == text.strip()
)
CATEGORIES = NAMES.filter(
    lambda text: not any(character in "0123456789?" or character.isdecimal() for character in text)
).filter(lambda text: text.casefold().strip("+-") not in {"na", "nan", "inf", "infinity"})
NUMBERS = st.floats(-1e100, 1e100, allow_nan=False)


@st.composite
def tables(draw):
    """Column names, feature columns (all numbers or all text), labels and weights."""
    rows = draw(st.integers(3, 12))
    columns = draw(
        st.lists(
            st.one_of(st.lists(values, min_size=rows, max_size=rows) for values in (NUMBERS, CATEGORIES)),
            min_size=1,
            max_size=5,
        )
    )
    names = draw(st.lists(NAMES, min_size=len(columns) + 2, max_size=len(columns) + 2, unique=True))
    classes = draw(st.lists(CATEGORIES, min_size=2, max_size=min(4, rows - 1), unique=True))
    labels = draw(st.permutations([*classes, *(classes * rows)[: rows - len(classes)]]))
    weights = draw(st.lists(st.floats(1e-9, 1e9), min_size=rows, max_size=rows))
    return names, columns, labels, weights


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=tables(),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    header=st.booleans(),
    mark=st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_a_table_written_and_read_is_the_same(tmp_path, table, separator, line_end, header, mark):
    names, columns, labels, weights = table
    assume(names[-2] not in labels)  # a target column called by one of its labels is taken for a missing header
    path = tmp_path / "random.csv"
    with path.open("w", newline="", encoding=mark) as file:
        # csv quotes a line end only if it is its own.
        writer = csv.writer(file, delimiter=separator, lineterminator=line_end, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerows([names] if header else [])
        writer.writerows(zip(*columns, labels, weights, strict=True))

    dataset = load("csv", path=path, separator=separator, header=header, weights=-1, target=-2)

    assert dataset.feature_names == (tuple(names[:-2]) if header else tuple(f"x{i}" for i in range(len(columns))))
    for name, values in zip(dataset.feature_names, columns, strict=True):
        assert dataset.features[name].tolist() == values
    assert [dataset.class_names[code] for code in dataset.target] == list(labels)
    assert list(dataset.class_names) == sorted(set(labels))
    assert dataset.sample_weight.tolist() == weights
