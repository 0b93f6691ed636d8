"""Entries of ``ignore`` and ``thresholds``: which groups they match, when they expire, why they are refused."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redshift_auth_alert.settings.entries import Ignore


@pytest.mark.parametrize(
    ("entry", "host", "matches"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("192.0.2.0/24", "192.0.2.255", True),
        ("192.0.2.0/24", "192.0.3.0", False),
        ("2001:db8::/32", "2001:DB8:0:0::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("::ffff:192.0.2.0/120", "192.0.2.7", True),
        ("::ffff:192.0.2.0/120", "192.0.3.7", False),
        ("192.0.2.0/24", "::ffff:c000:207", True),
        ("::/0", "192.0.2.7", False),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("0.0.0.0/0", "[local]", False),
        ("0.0.0.0/0", "", False),
    ],
)
def test_an_address_or_network_matches(entry: str, host: str, *, matches: bool) -> None:
    assert Ignore(remote_host=entry, reason="x").matches({"remote_host": host}) is matches


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6, network="2001:db8::/32"), st.data())
def test_a_network_matches_exactly_the_addresses_that_share_its_prefix(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, data: st.DataObject
) -> None:
    bits = address.max_prefixlen
    differing, prefix = data.draw(st.integers(0, bits - 1)), data.draw(st.integers(0, bits))
    neighbour = type(address)(int(address) ^ (1 << (bits - 1 - differing)))
    network = ipaddress.ip_network((neighbour, prefix), strict=False)
    assert Ignore(remote_host=str(network), reason="x").matches({"remote_host": str(address)}) is (differing >= prefix)


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("etl_*", "etl_nightly", True),
        ("etl_*", "ETL_nightly", False),
        ("etl_?", "etl_12", False),
        ("[ab]nn", "bnn", True),
        ("*", "a\nb", True),
        ("*", "", True),
        ("a.b", "axb", False),
    ],
)
def test_a_pattern_matches(pattern: str, name: str, *, matches: bool) -> None:
    assert Ignore(user_name=pattern, reason="x").matches({"user_name": name}) is matches


@pytest.mark.parametrize(("user", "matches"), [("bi", True), ("ann", False)])
def test_all_that_an_entry_names_must_match(user: str, *, matches: bool) -> None:
    entry = Ignore(remote_host="192.0.2.0/24", user_name="bi", reason="x")
    assert entry.matches({"remote_host": "192.0.2.1", "user_name": user}) is matches


@pytest.mark.parametrize(("day", "holds"), [(date(2026, 2, 28), True), (date(2026, 3, 1), False)])
def test_an_entry_holds_through_its_last_day(day: date, *, holds: bool) -> None:
    assert Ignore(remote_host="192.0.2.1", reason="x", until="2026-02-28").holds_on(day) is holds


def test_an_entry_without_a_last_day_never_expires() -> None:
    assert Ignore(remote_host="192.0.2.1", reason="x").holds_on(date.max)


def test_an_entry_may_hold_until_the_last_day_there_is() -> None:
    assert Ignore(remote_host="192.0.2.1", reason="x", until="9999-12-31").holds_on(date.max)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ignore: {reason: x}", "valid: a list of up to 100 entries, see 'Ignore list'"),
        (
            "ignore: [192.0.2.1]",
            "ignore entry 1 is '192.0.2.1': not a mapping of keys to values; valid: keys remote_host, ",
        ),
        ("ignore: !!set {192.0.2.1}", "ignore entry 1 is '192.0.2.1': "),
        (
            "ignore: [{reason: x}]",
            "ignore entry 1 is {'reason': 'x'}: matches nothing; name one or more of remote_host, ",
        ),
        ("ignore: [{remote_host: 192.0.2.1}]", "ignore entry 1: reason is missing; valid: 1 to 200 printable"),
        ("ignore: [{remote_host: 192.0.2.1, reason: ''}]", "ignore entry 1: reason is ''"),
        (r'ignore: [{remote_host: 192.0.2.1, reason: "a\nb"}]', r"reason is 'a\nb': not allowed; valid: 1 to 200"),
        (
            "ignore: [{remote_host: 192.0.2.1, reason: x}, {remote_host: 10.0.0/8, reason: x}]",
            "ignore entry 2: remote_host is '10.0.0/8': not an IPv4 or IPv6 address or network; valid: an address",
        ),
        (
            "ignore: [{remote_host: 10.0.0.1/8, reason: x}]",
            "'10.0.0.1/8': not the first address of its network; did you mean '10.0.0.0/8'? valid: an address such as",
        ),
        (
            "ignore: [{remote_host: 192.0.2.1, reason: x, until: soon}]",
            "until is 'soon': not a date; valid: a date such as 2026-12-31, the entry's last day in UTC, or null",
        ),
        (
            "ignore: [{remote_host: 192.0.2.1, reason: x, untill: 2026-01-01}]",
            "ignore entry 1: unknown key 'untill'; did you mean 'until'? valid: keys remote_host, user_name, ",
        ),
        ("ignore: [{remote_host: 192.0.2.1, reason: x, 5: 1}]", "ignore entry 1: unknown key 5; valid: keys "),
        ("ignore: [{remote_host: 192.0.2.1, reason: x, 1: 1}]", "ignore entry 1: unknown key 1; valid: keys "),
        ("ignore: [{remote_host: 192.0.2.1, reason: x, 2026-01-01: 1}]", "ignore entry 1: unknown key "),
        ("ignore: [{remote_host: 192.0.2.1, reason: x, on: 1}]", "ignore entry 1: unknown key True; valid: keys "),
        ("ignore: [{remote_host: 192.0.2.1, reason: ' '}]", "ignore entry 1: reason is ' ': blank; valid: 1 to 200 "),
        ("ignore: [{user_name: ' ', reason: x}]", "ignore entry 1: user_name is ' ': blank; valid: a pattern of 1 to "),
        ("ignore: [{user_name: '', reason: x}]", "ignore entry 1: user_name is '': empty; valid: a pattern of 1 to "),
        (
            "ignore: [{remote_host: 192.0.2.1, reason: x, until: 20261231}]",
            "ignore entry 1: until is 20261231: not a date; valid: a date such as 2026-12-31, ",
        ),
        (
            "ignore: [{remote_host: 192.0.2.1, reason: x, until: 2026-12-31T00:00:00}]",
            "ignore entry 1: until is 2026-12-31T00:00:00: not a date; valid: a date such as 2026-12-31, ",
        ),
        ("ignore: [{remote_host: 1, reason: x}]", "ignore entry 1: remote_host is 1: not text; valid: an address "),
        (
            "ignore: [{user_name: etl, reason: x}]",
            "ignore entry 1 matches nothing, as group_by lacks user_name; remove the entry; ",
        ),
        ("thresholds: [{remote_host: 192.0.2.1, threshold: 0}]", "thresholds entry 1: threshold is 0: "),
        (
            "thresholds: [{remote_host: 192.0.2.1}]",
            "thresholds entry 1: threshold is missing; valid: an integer from 1 to ",
        ),
        ("thresholds: [{threshold: 5}]", "thresholds entry 1 is {'threshold': 5}: matches nothing"),
    ],
)
def test_a_bad_entry_is_refused_with_its_number_and_key(refused: Callable[[str], str], line: str, says: str) -> None:
    assert says in refused(line)
