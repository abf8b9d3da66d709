"""The digest, against the format its docstring states, and what it must and must not depend on."""

import hashlib
import json
import struct

import pytest

from src.data import load

TABLE = "a,colour,w,label\n1.5,red,1,no\n-0,grün,2,yes\n?,NA,0.5,no\n"


def digest_of(tmp_path, text, file="table.csv", **settings):
    path = tmp_path / file
    path.write_text(text, encoding="utf-8")
    return load("csv", path=path, missing="impute", **settings).digest


def test_digest_is_the_hash_of_the_stated_bytes(tmp_path):
    parts = [
        b'{"columns":[["a","numeric"],["colour","categorical"]],"rows":3,"classes":["no","yes"],"weighted":true}\n',
        struct.pack("<2d", 1.5, 0.0) + bytes.fromhex("000000000000f87f"),  # the quiet NaN without sign and payload
        json.dumps(["red", "grün", None], separators=(",", ":")).encode() + b"\n",
        struct.pack("<3q", 0, 1, 0),
        struct.pack("<3d", 1, 2, 0.5),
    ]
    assert digest_of(tmp_path, TABLE, weights="w") == hashlib.sha256(b"".join(parts)).hexdigest()


def test_groups_and_given_folds_are_hashed_where_there_are_any(tmp_path):
    table = "a,who,site,label\n1,q,2,no\n2,p,1,yes\n3,q,2,yes\n4,r,1,no\n"
    line = b'{"columns":[["a","numeric"]%s],"rows":4,"classes":["no","yes"],"weighted":false%s}\n'
    who, site = b'["q","p","q","r"]\n', struct.pack("<4d", 2, 1, 2, 1)
    a, label = struct.pack("<4d", 1, 2, 3, 4), struct.pack("<4q", 0, 1, 1, 0)
    groups, fold = struct.pack("<4q", 1, 0, 1, 2), struct.pack("<4q", 1, 0, 1, 0)
    expected = {
        (): [line % (b',["who","categorical"],["site","numeric"]', b""), a, who, site, label],
        ("groups",): [line % (b',["site","numeric"]', b',"groups":true'), a, site, label, groups],
        ("fold",): [line % (b',["who","categorical"]', b',"fold":true'), a, who, label, fold],
        ("groups", "fold"): [line % (b"", b',"groups":true,"fold":true'), a, label, groups, fold],
    }
    columns = {"groups": "who", "fold": "site"}
    for keys, parts in expected.items():
        found = digest_of(tmp_path, table, **{key: columns[key] for key in keys})
        assert found == hashlib.sha256(b"".join(parts)).hexdigest(), keys


@pytest.mark.parametrize(
    "old, new",
    [
        ("1.5", "1.50000000000001"),
        ("red", "blue"),
        ("a,colour", "b,colour"),
        ("-0,grün,2,yes", "-0,grün,2,no\n0,grün,2,yes"),
        ("2,yes", "2,no\n"),
        ("yes", "maybe"),
        ("0.5,no", "0.25,no"),
        ("NA,", "none,"),
    ],
)
def test_digest_changes_with_any_value_name_label_or_weight(tmp_path, old, new):
    two_classes = TABLE + "3,red,1,yes\n"
    changed = two_classes.replace(old, new)
    assert changed != two_classes
    assert digest_of(tmp_path, changed, weights="w") != digest_of(tmp_path, two_classes, weights="w")


def test_digest_tells_numbers_from_categories_and_weights_from_features(tmp_path):
    digests = {
        digest_of(tmp_path, TABLE, weights="w"),
        digest_of(tmp_path, TABLE),
        digest_of(tmp_path, TABLE, categorical=["w"]),
    }
    assert len(digests) == 3


def test_digest_is_of_the_content_not_of_the_files_form(tmp_path):
    same = [
        digest_of(tmp_path, TABLE),
        digest_of(tmp_path, TABLE, "another name.csv"),
        digest_of(tmp_path, "\ufeff" + TABLE.replace("\n", "\r\n")),
        digest_of(tmp_path, TABLE.replace(",", " ; "), separator=";"),
        digest_of(tmp_path, TABLE.replace("1.5", "15e-1").replace("-0", "0").replace("red", '"red"')),
        digest_of(tmp_path, TABLE.replace("?", "").replace("NA", "?") + "\n\n"),
        digest_of(tmp_path, TABLE.replace("label", "answer")),
    ]
    assert len(set(same)) == 1
