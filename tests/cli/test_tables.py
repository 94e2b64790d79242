"""Columns of text."""

from hubcls.cli.tables import columns, fields


def test_columns_are_as_wide_as_their_widest_cell():
    text = columns([("name", "n"), ("a", "100"), ("longer", "2")], right=(1,))

    assert text.splitlines() == ["name      n", "a       100", "longer    2"]


def test_lines_end_without_spaces():
    assert columns([("a", "wide"), ("b", "")]).splitlines() == ["a  wide", "b"]


def test_fields_leave_out_what_has_no_value():
    assert fields([("name", "x"), ("paper", "")]) == "name  x"
