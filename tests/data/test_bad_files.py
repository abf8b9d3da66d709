"""Each way in which a user's file can be unusable: one sentence that says where, what and how to mend it."""

import pytest

from src.data import DataError, load

GOOD = "a,b,label\n1,2,x\n3,4,y\n5,6,x\n"


@pytest.fixture
def problem(tmp_path, monkeypatch):
    """Write the content to table.csv, load it, and return the message that refuses it."""
    monkeypatch.chdir(tmp_path)

    def refuse(content=GOOD, path="table.csv", **options):
        (tmp_path / "table.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(DataError) as caught:
            load("csv", path=path, **options)
        return str(caught.value)

    return refuse


# ---------------------------------------------------------------------------------------------------------------------
# the file


def test_no_such_file_suggests_the_near_ones(problem):
    assert problem(path="tabel.csv") == "data.path: there is no file tabel.csv. Did you mean 'table.csv'?"


def test_no_such_file_lists_the_tables_of_its_folder(problem):
    assert problem(path="penguins.csv") == "data.path: there is no file penguins.csv. Its folder holds table.csv."


def test_no_such_file_in_a_folder_without_tables(problem, tmp_path):
    (tmp_path / "empty").mkdir()
    assert problem(path="empty/a.csv").endswith(f"Its folder, {tmp_path.resolve() / 'empty'}, holds no table.")


def test_no_such_folder(problem, tmp_path):
    assert problem(path="no/table.csv") == (
        "data.path: there is no file no/table.csv. There is no folder no either; "
        f"relative paths start from {tmp_path.resolve()}."
    )


def test_a_folder(problem):
    assert problem(path=".") == "data.path: . is a folder; give the path of a file (it holds table.csv)."


def test_a_path_that_cannot_be_read(problem):
    message = problem(path="x" * 300)
    assert message.startswith("data.path: xxx")
    assert "cannot be read (File name too long)" in message


@pytest.mark.parametrize("content", ["", "\n \n\r\n", "\ufeff", '""\n'])
def test_an_empty_file(problem, content):
    assert problem(content) == "data.path: table.csv is empty; a table with a row for each sample is needed."


def test_a_header_without_rows(problem):
    assert problem("a,b,label\n\n") == (
        "table.csv has a header and no rows; a table with a row for each sample is needed. "
        "If the file has no header, set data.header=false."
    )


def test_one_column(problem):
    assert problem("label\nx\ny\n") == (
        "table.csv has one column (the header: 'label'); at least two are needed, a feature and the target: "
        "if another character separates the cells, set data.separator."
    )


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_bytes_that_are_not_utf_8(problem, mark, line_end):
    message = problem(mark + "a,b,label\n1,2,x\n3,4,größe\n".replace("\n", line_end).encode("latin-1"))
    assert message.startswith("data.path: table.csv, line 3: byte 0xf6 is not UTF-8: save it as 'CSV UTF-8'")
    assert "iconv -f ENCODING -t UTF-8" in message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf_16(problem, encoding):
    message = problem(GOOD.encode(encoding))
    assert "UTF-8" in message
    assert "iconv" in message


def test_chinese_in_its_own_encoding(problem):
    assert "line 1: byte 0x" in problem("身高,类别\n1,好\n2,坏\n3,好\n".encode("gb18030"))


# ---------------------------------------------------------------------------------------------------------------------
# rows and cells


def test_a_ragged_row(problem):
    assert problem("a,b,label\n1,2,x\n3,y\n5,6,x\n") == (
        "table.csv, line 3: 2 cells where the header in line 1 has 3; each row needs the same number: "
        "mend the line, and quote a cell that holds the separator."
    )


def test_several_ragged_rows_without_a_header(problem):
    assert problem("1,2,x\n3,4,y\n3,y\n5,6,7,x\n", header=False) == (
        "table.csv, line 3: 2 cells where the first row in line 1 has 3 (and 1 more line differ); each row needs the "
        "same number: mend the line, and quote a cell that holds the separator."
    )


def test_a_header_that_is_too_short(problem):
    assert problem("a,label\n1,2,x\n3,4,y\n") == (
        "table.csv, line 1: the header has 2 cells and no other row has as many (line 2: 3); "
        "each row needs the same number: complete it."
    )


def test_lines_are_counted_as_an_editor_does(problem):
    content = 'a,b,label\r\n\r\n"two\r\nlines",2,x\r\nu,4,y\r\nu,oops,x\r\n'
    assert problem(content).startswith("table.csv, line 6, column 'b': the text 'oops' among numbers")


def test_a_quote_that_is_not_closed(problem):
    message = problem('a,b,label\n1,2,x\n"3,4,y\n5,6,x\n')
    assert message.startswith("table.csv, line 3: the quotes of this row do not match")


@pytest.mark.parametrize(
    "separator, setting",
    [
        (";", """set the separator to ';' ('data.separator=";"')."""),
        ("\t", r"""set the separator to '\t' ('data.separator="\t"')."""),
        ("|", """set the separator to '|' ('data.separator="|"')."""),
        (" ", """set the separator to ' ' ('data.separator=" "')."""),
    ],
)
def test_a_wrong_separator(problem, separator, setting):
    message = problem(GOOD.replace(",", separator))
    assert message.startswith("table.csv: the cells are not separated by ',', line 1 is 'a")
    assert message.endswith(setting)


@pytest.mark.parametrize("header", ['"a";"b";"label"', "a;b;label"])
def test_a_wrong_separator_between_quoted_cells_is_not_blamed_on_the_quotes(problem, header):
    message = problem(header + '\n1;2;"x"\n"3";4;"y"\n')
    assert message.startswith("table.csv: the cells are not separated by ',', line 1 is ")
    assert message.endswith("set the separator to ';' ('data.separator=\";\"').")


def test_a_wrong_separator_where_numbers_have_commas(problem):
    message = problem("a;b;label\n1,5;2,5;x\n3;4,5;y\n")
    assert "set the separator to ';'" in message


def test_a_comma_where_another_separator_was_set(problem):
    assert """set the separator to ',' ('data.separator=",")'""".replace(")'", "')") in problem(separator=";")


@pytest.mark.parametrize("separator", ["", "::", '"', "\n"])
def test_what_cannot_be_a_separator(problem, separator):
    assert problem(separator=separator).startswith(f"data.separator: {separator!r} cannot separate cells")


def test_repeated_column_names(problem):
    assert problem("a,b,a,label\n1,2,3,x\n4,5,6,y\n") == (
        "table.csv: 2 columns are named 'a' (positions 0, 2, counted from 0): give each its own name, "
        "or set data.header=false if the file has no header."
    )


def test_a_column_without_a_name(problem):
    message = problem(",b,label\n0,2,x\n1,4,y\n2,6,x\n")
    assert message.startswith("table.csv: the header gives no name to the column at position 0")
    assert "index=False" in message


def test_a_first_row_of_data_taken_for_the_header(problem):
    assert (
        "table.csv, first row: 5.1, 3.5, setosa looks like data, not like a header: set data.header=false."
        in problem("5.1,3.5,setosa\n4.9,3,setosa\n6.1,3,virginica\n6.2,3.1,virginica\n").splitlines()
    )


def test_a_header_taken_for_data(problem):
    assert problem(GOOD, header=False).splitlines()[0] == (
        "table.csv, line 1, column 'x0': the text 'a' among numbers: set data.header=true if that line is the header."
    )


# ---------------------------------------------------------------------------------------------------------------------
# the target


def test_no_such_target_suggests_the_near_column(problem):
    assert problem(target="lable") == (
        "data.target: table.csv has no column 'lable'. Did you mean 'label'? Its columns are 'a', 'b', 'label'."
    )


def test_a_near_column_is_found_whatever_its_letter_case(problem):
    assert "Did you mean 'label'?" in problem(target="LABEL")


@pytest.mark.parametrize("target", [3, -4])
def test_no_such_position(problem, target):
    assert problem(target=target) == (
        f"data.target: table.csv has no column at position {target} (from 0 to 2; -1 is the last). "
        "Its columns are 'a', 'b', 'label'."
    )


def test_a_constant_target(problem):
    assert problem("a,label\n1,x\n2,x\n") == (
        "table.csv, target column 'label': constant, nothing but 'x' in 2 rows; at least two classes are needed: "
        "is it the right column (data.target)?"
    )


@pytest.mark.parametrize(
    "labels",
    [
        ["1", "2", "3"],
        ["0.5", "1e3", "-7.25"],
        # 30 different fractions in 60 rows
        [f"{number / 4}" for number in range(30)] * 2,
    ],
)
def test_a_target_for_regression(problem, labels):
    message = problem("a,label\n" + "".join(f"{row},{label}\n" for row, label in enumerate(labels)))
    assert message.startswith(f"table.csv, target column 'label': {len(set(labels))} different numbers in")
    assert "looks like a measured quantity (regression)" in message


def test_a_different_label_in_every_row(problem):
    message = problem("a,name\n1,Ada\n2,Emmy\n3,Sofja\n")
    assert message.startswith("table.csv, target column 'name': 3 different labels in 3 rows")


@pytest.mark.parametrize("missing", ["refuse", "impute"])
def test_a_missing_target_is_never_filled_in(problem, missing):
    assert problem("a,label\n1,x\n2,\n3,y\n4,NA\n", missing=missing) == (
        "table.csv, target column 'label': no label in lines 3, 5; a missing target is never filled in: "
        "write the label or remove the row."
    )


def test_one_number_written_in_two_ways_as_labels(problem):
    assert problem("a,label\n1,0\n2,1\n3,1.0\n4,0\n").startswith(
        "table.csv, target column 'label': '1', '1.0' are the same number: write it in one way"
    )


# ---------------------------------------------------------------------------------------------------------------------
# values


def test_missing_values_name_their_rows_and_columns(problem):
    assert problem("a,b,c,label\n1,2,u,x\n?,4,NA,y\n,6,v,x\n7,8,v,x\n") == (
        "table.csv, lines 3, 4: values are missing (columns 'a', 'c'): write the values, remove the rows, "
        "or set data.missing=impute."
    )


@pytest.mark.parametrize("cell", ["", "?", "NA", "NaN", "nan", " ? "])
def test_each_way_to_write_a_missing_value(problem, cell):
    assert problem(f"a,b,label\n1,2,x\n{cell},4,y\n5,6,x\n").startswith(
        "table.csv, line 3: values are missing (column 'a')"
    )


def test_many_rows_with_missing_values_are_counted(problem):
    rows = "".join(f",{row},{row % 2}\n" for row in range(25))
    assert "lines 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 15 more:" in problem("a,b,label\n1,2,0\n" + rows)


@pytest.mark.parametrize("missing", ["refuse", "impute"])
def test_text_among_numbers(problem, missing):
    assert problem("a,b,label\n1,2,x\n3,four,y\n5,1_000,x\n", missing=missing) == (
        "table.csv, line 3, column 'b': the text 'four' among numbers (and in line 4): write a number (missing: "
        "an empty cell, ?, NA or NaN), or list the column in data.categorical."
    )


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e999", "-2e100"])
def test_numbers_that_are_not_finite_or_too_large(problem, cell):
    message = problem(f"a,b,label\n1,2,x\n3,{cell},y\n5,6,x\n")
    assert message.startswith(f"table.csv, line 3, column 'b': {cell!r} is not a finite number of at most 1e+100")


def test_a_column_of_infinities_is_not_taken_for_categories(problem):
    assert "column 'b': 'inf' (and in lines 3, 4)" in problem("a,b,label\n1,inf,x\n3,inf,y\n5,-inf,x\n")


@pytest.mark.parametrize("categorical", [[], ["b"]])
def test_a_column_without_any_value(problem, categorical):
    message = problem("a,b,label\n1,,x\n3,NA,y\n5,?,x\n", missing="impute", categorical=categorical)
    assert message == "table.csv, column 'b': no value in any row: remove the column."


def test_decimal_commas(problem):
    message = problem("a;b;label\n1,5;2;x\n2,5;4;y\n0,5;6;x\n", separator=";")
    assert message == "table.csv, column 'a': decimal commas ('0,5'): write the numbers with a point."


def test_text_with_too_many_different_values(problem):
    rows = "".join(f"name{row},{row},{row % 2}\n" for row in range(1001))
    assert problem("name,a,label\n" + rows).startswith("table.csv, column 'name': text with 1,001 different values")


@pytest.mark.parametrize("cell", ["0", "-1", "", "inf", "NaN", "heavy"])
def test_weights_are_positive_and_finite(problem, cell):
    assert problem(f"a,label,w\n1,x,1\n2,y,{cell}\n3,x,1\n", weights="w", missing="impute") == (
        f"table.csv, line 3, weights column 'w': {cell!r}; a weight is a positive, finite number and none may be "
        "missing: mend or remove the row."
    )


@pytest.mark.parametrize("key, word, words", [("groups", "group", "groups"), ("fold", "fold", "given folds")])
class TestGroupsAndGivenFolds:
    def test_none_may_be_missing(self, problem, key, word, words):
        content = "a,who,label\n1,p,x\n2,,y\n3,q,x\n4,NA,y\n"
        assert problem(content, missing="impute", **{key: "who"}) == (
            f"table.csv, {key} column 'who': no {word} in lines 3, 5: write the {word} or remove the row."
        )

    def test_one_alone_cannot_be_split(self, problem, key, word, words):
        assert problem("a,who,label\n1,p,x\n2,p,y\n3,p,x\n", **{key: "who"}) == (
            f"table.csv, {key} column 'who': one {word} only, 'p', in 3 rows; at least two are needed for a training "
            f"and a test part: is it the right column (data.{key})?"
        )

    def test_one_number_written_in_two_ways(self, problem, key, word, words):
        message = problem("a,who,label\n1,1,x\n2,2,y\n3,1.0,x\n4,2,y\n", **{key: "who"})
        assert message.startswith(f"table.csv, {key} column 'who': '1', '1.0' are the same number: write it in one way")
        assert f"different {word}s" in message

    def test_the_column_has_no_other_role(self, problem, key, word, words):
        own = f"the {words} need a column of their own."
        assert problem(target="b", **{key: "b"}) == f"data.{key}: 'b' is the target; {own}"
        assert problem(weights="b", **{key: 1}) == f"data.{key}: 'b' is the column of weights; {own}"
        assert problem(categorical=["b"], **{key: "b"}) == (
            f"data.categorical: 'b' is the column of {words}; only features can be listed."
        )
        assert problem(**{key: "bb"}).startswith(f"data.{key}: table.csv has no column 'bb'. Did you mean 'b'?")


def test_dropped_columns_have_no_role(problem):
    assert problem(drop=["label"], target="label") == "data.drop: 'label' is the target; only features can be listed."
    assert problem(drop=["b"], categorical=["b"]) == "data.categorical: 'b' is dropped; only features can be listed."
    assert problem(drop=["a", "b"]) == (
        "table.csv has no feature: 'label' is the target, 'a' is dropped, 'b' is dropped; a column to learn from is "
        "needed."
    )
    assert problem(drop=["bb"]).startswith("data.drop: table.csv has no column 'bb'. Did you mean 'b'?")


SITES = "a,who,site,label\n1,p,A,x\n2,p,A,y\n3,q,B,x\n4,q,B,y\n5,r,B,x\n"


def test_a_group_in_several_given_folds(problem):
    torn = SITES + "6,p,B,x\n7,p,C,y\n8,r,C,y\n"
    assert problem(torn, groups="who", fold="site") == (
        "table.csv, groups column 'who': the group 'p' stands in several folds of data.fold 'site': 'A' (line 2), "
        "'B' (line 7), 'C' (line 8), and 1 other group too; a group is tested as a whole: put its rows into one fold, "
        "or leave out one of the two keys."
    )


def test_a_given_fold_without_which_one_class_is_left(problem):
    assert problem(SITES.replace("2,p,A,y", "2,p,A,x"), fold="site") == (
        "table.csv, fold column 'site': without the rows of 'B' nothing but the class 'x' is left to train on; a "
        "training part needs two classes: put these rows into several folds, or choose another column (data.fold)."
    )


def test_every_faulty_column_is_told_at_once(problem):
    message = problem("a,b,c,label\n1,2,inf,x\n3,u,4,x\n,6,7,x\n")
    assert [line.split(":")[0] for line in message.splitlines()] == [
        "table.csv, target column 'label'",
        "table.csv, line 4",
        "table.csv, line 3, column 'b'",
        "table.csv, line 2, column 'c'",
    ]


# ---------------------------------------------------------------------------------------------------------------------
# the columns' roles


@pytest.mark.parametrize(
    "options, message",
    [
        ({"weights": "bb"}, "data.weights: table.csv has no column 'bb'. Did you mean 'b'?"),
        ({"categorical": ["a", "c"]}, "data.categorical: table.csv has no column 'c'."),
        ({"categorical": [9]}, "data.categorical: table.csv has no column at position 9"),
        ({"target": "a", "weights": 0}, "data.weights: 'a' is the target; the weights need a column of their own."),
        ({"categorical": ["label"]}, "data.categorical: 'label' is the target; only features can be listed."),
        (
            {"categorical": ["b"], "weights": "b"},
            "data.categorical: 'b' is the column of weights; only features can be listed.",
        ),
    ],
)
def test_settings_that_do_not_fit_the_columns(problem, options, message):
    assert problem(**options).startswith(message)


def test_no_feature_left(problem):
    assert problem("w,label\n1,x\n2,y\n", weights="w") == (
        "table.csv has no feature: 'label' is the target, 'w' is the column of weights; "
        "a column to learn from is needed."
    )
    assert problem("w,who,site,label\n1,p,A,x\n2,q,B,y\n", weights="w", groups=1, fold=2) == (
        "table.csv has no feature: 'label' is the target, 'w' is the column of weights, 'who' is the column of groups, "
        "'site' is the column of given folds; a column to learn from is needed."
    )
