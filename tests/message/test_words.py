"""How names out of the log are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redshift_auth_alert.message.words import line, shown
from tests.conftest import NOON
from tests.message.findings import OVER, Login, make_breach


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("[local]", "[local]"),
        ("IAM:ann@example.com", "IAM:ann@example.com"),
        ("", "(empty)"),
        ("(empty)", '"(empty)"'),
        ("ann bob", '"ann bob"'),
        ("a\nb", '"a\\nb"'),
        ("a\r\u2028\u202eb", '"a\\r\\u2028\\u202eb"'),
        ("\x1b[31m", '"\\x1b[31m"'),
        ('say "hi" \\', '"say \\"hi\\" \\\\"'),
        ("{{ 1/0 }}", '"{{ 1/0 }}"'),
        ("böb", '"böb"'),
    ],
)
def test_a_name_is_shown_so_that_it_passes_for_nothing_else(name: str, written: str) -> None:
    assert shown(name) == written


@given(st.text(max_size=50))
def test_a_shown_name_is_one_printable_line(name: str) -> None:
    assert shown(name).isprintable()


@given(st.text(max_size=50), st.text(max_size=50))
def test_two_names_are_never_shown_alike(one: str, other: str) -> None:
    assert (shown(one) == shown(other)) == (one == other)


@pytest.mark.parametrize(
    ("breach", "written"),
    [
        (make_breach(), "203.0.113.7 [14 times] new"),
        (make_breach(ongoing=True, over=True), "203.0.113.7 [14 times] ongoing, over"),
        (make_breach(failures=1_400, got_in=Login(NOON, "admin")), "203.0.113.7 [1,400 times] new, GOT IN"),
        (OVER, "203.0.113.7 over"),
    ],
)
def test_a_breach_is_named_in_one_line(breach: object, written: str) -> None:
    assert line(breach) == written  # type: ignore[arg-type]
