"""The statement on files as AWS delivers them to S3, by the stand-in of Athena."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redshift_auth_alert.detection.findings import Coverage
from sandbox.athena_engine import QueryFailedError
from sandbox.log_files import CLUSTER, ConnectionEvent, audit_log_files, cloudtrail_files, heartbeat
from tests.conftest import NOON, judged, make_run, render_statement
from tests.detection.oracle import FAILURE, LOGIN, Event, all_failures, expected
from tests.detection.s3 import Logs
from tests.detection.test_measurement import CLIENTS, TICK, TICKS_PER_MINUTE, measured, run_over, streams

START = NOON.replace(tzinfo=None)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FILES = {"audit_log_s3": audit_log_files, "cloudtrail": cloudtrail_files}
FOLDER = "AWSLogs/123456789012/redshift/eu-central-1/2026/03/01"
KEY = f"{FOLDER}/123456789012_redshift_eu-central-1_analytics_connectionlog_2026-03-01T12:53.gz"
LINE = "{event} |Sun, 01 Mar 2026 12:{minute:02}:00:000|203.0.113.7 |50000 |1234|dev |{user} |password |0|"


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path)


def in_s3(source: str = "audit_log_s3", **settings_in_force: Any) -> Any:
    return make_run(source=source, athena_conn_id="athena_default", **settings_in_force)


def failures(number: int, at: datetime, user: str = "ann") -> list[ConnectionEvent]:
    return [ConnectionEvent(FAILURE, at + count * MINUTE, "203.0.113.7", user) for count in range(number)]


def put_lines(logs: Logs, *lines: str | bytes, key: str = KEY) -> None:
    encoded = [line if isinstance(line, bytes) else line.encode() for line in lines]
    logs.put([(key, gzip.compress(b"\n".join(encoded) + b"\n"))])


def lines(number: int, user: str = "ann", event: str = FAILURE) -> list[str]:
    return [LINE.format(event=event, minute=minute, user=user) for minute in range(number)]


def coverage(logs: Logs, run: Any) -> Coverage:
    return judged(logs.measure(run), run).coverage


def delivered(event: Event) -> ConnectionEvent:
    user = event.user_name.replace("\n", " and")  # which has a test of its own
    return ConnectionEvent(event.kind, START + event.at * TICK, event.remote_host, user, event.database_name)


def names_read(event: ConnectionEvent) -> tuple[str, str]:
    """User and database as they are read where either holds a bar: the last bar before the method parts them."""
    database, _, user = f"{event.database_name} |{event.user_name}".rpartition("|")
    return user, database.rstrip(" ")


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(stream=streams(), source=st.sampled_from(sorted(FILES)))
def test_each_log_in_s3_gives_the_oracles_measures_for_the_same_events(
    tmp_path: Path, stream: dict[str, Any], source: str
) -> None:
    end, group_by, threshold = stream["end"], stream["group_by"], stream["thresholds"][0]
    shutil.rmtree(tmp_path)
    logs = Logs(tmp_path)
    kept = [delivered(event) for event in stream["events"]]
    named = [
        names_read(event) if source == "audit_log_s3" else (event.user_name, event.database_name) for event in kept
    ]
    logs.put(FILES[source](kept + heartbeat(START + end * TICK + HOUR, START + end * TICK + 3 * HOUR)))
    asked = {name: stream[name] for name in ("window_minutes", "group_by", "count")}
    run = run_over(0, end, threshold=threshold, source=source, athena_conn_id="athena_default", **asked)
    truth = expected(
        [
            Event(e.kind, e.at, e.remote_host, user, database)
            for e, (user, database) in zip(stream["events"], named, strict=True)
        ],
        start=0,
        end=end,
        window=stream["window_minutes"] * TICKS_PER_MINUTE,
        threshold=threshold,
        group_by=group_by,
        count=stream["count"],
        since_any_event=True,
    )
    rows = logs.measure(run)
    assert rows[0]["all_failures"] == all_failures(stream["events"], 0, end)
    assert without_clients(measured(rows, group_by)) == without_clients(truth)


def without_clients(measures: dict[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """Not every file has the fields that tell what a failure came with."""
    return {group: {name: of[name] for name in of if name != "clients"} for group, of in measures.items()}


TODAY = "|TLSv1.2 |ECDHE |0| | | |{application} |Windows 10 |JDBC 2.1.0.9 | |2 |"


@pytest.mark.parametrize(
    ("user", "rest", "clients"),
    [
        ("ann", "", ["password", None, None, None, None]),
        ("ann", TODAY.format(application="DBeaver"), ["password", "JDBC 2.1.0.9", "DBeaver", "Windows 10", "TLSv1.2"]),
        ("a|b", TODAY.format(application="DBeaver"), ["password", "JDBC 2.1.0.9", "DBeaver", "Windows 10", "TLSv1.2"]),
        ("ann", TODAY.format(application=""), ["password", "JDBC 2.1.0.9", None, "Windows 10", "TLSv1.2"]),
    ],
    ids=["9 fields", "21 fields", "a bar in the user's name", "no application"],
)
def test_a_line_of_the_audit_log_tells_what_a_failure_came_with(
    logs: Logs, user: str, rest: str, clients: list[str | None]
) -> None:
    put_lines(logs, *(line + rest.removeprefix("|") for line in lines(12, user)))
    (row,) = logs.measure(in_s3())
    assert [row[f"client_{what}"] for what in CLIENTS] == clients


@pytest.mark.parametrize(
    ("start", "length", "days"),
    [
        pytest.param(START, 30 * MINUTE, ["01", "02"], id="half an hour at noon"),
        pytest.param(START.replace(hour=0), 30 * MINUTE, ["28", "01", "02"], id="the first half hour of a day"),
        pytest.param(START.replace(hour=0), DAY, ["28", "01", "02"], id="a whole day"),
        pytest.param(START.replace(hour=0) + HOUR, 23 * HOUR, ["01", "02"], id="from one o'clock to midnight"),
    ],
)
def test_only_the_days_that_the_interval_needs_are_read(
    logs: Logs, start: datetime, length: timedelta, days: list[str]
) -> None:
    logs.put(audit_log_files(heartbeat(START - 20 * DAY, START + 20 * DAY)))
    utc = start.replace(tzinfo=NOON.tzinfo)
    read = logs.engine.run(render_statement(in_s3(start=utc, end=utc + length))).partitions
    assert sorted(location.rstrip("/")[-2:] for location in read) == sorted(days)


@pytest.mark.parametrize(
    ("begins", "stranger"), [(DAY, True), (DAY - HOUR, False)], ids=["a day before the interval", "less than a day"]
)
def test_a_group_without_a_sign_in_is_a_stranger_where_the_scanned_days_begin(
    logs: Logs, begins: timedelta, *, stranger: bool
) -> None:
    midnight = START.replace(hour=0)
    logs.put(audit_log_files(heartbeat(midnight - begins, midnight + DAY) + failures(12, midnight)))
    run = in_s3(start=midnight.replace(tzinfo=NOON.tzinfo), end=midnight.replace(tzinfo=NOON.tzinfo) + 30 * MINUTE)
    (breach,) = judged(logs.measure(run), run).breaches
    assert breach.stranger is stranger


@pytest.mark.parametrize("source", sorted(FILES))
def test_the_end_of_a_day_is_found_in_the_next_days_first_file(logs: Logs, source: str) -> None:
    late = START.replace(hour=23, minute=30)
    logs.put(FILES[source](failures(12, late + 15 * MINUTE) + heartbeat(START, START + DAY)))
    (row,) = logs.measure(in_s3(source, start=NOON.replace(hour=23, minute=30), end=NOON.replace(hour=0) + DAY))
    assert row["failures"] == 12


NAMES = ("remote_host", "user_name", "database_name")


@pytest.mark.parametrize("user", ['quo"te', "it's", "back\\slash", "tab\there", "ü" * 50, "{{ 1/0 }}"])
def test_a_user_name_moves_neither_host_nor_count_and_stays_what_was_typed(logs: Logs, user: str) -> None:
    put_lines(logs, *lines(12, user))
    (row,) = logs.measure(in_s3(group_by=NAMES))
    assert [row[name] for name in NAMES] == ["203.0.113.7", user, "dev"]
    assert (row["failures"], row["unreadable_lines"]) == (12, 0)


@pytest.mark.parametrize("rest", ["password |0|", "password |0", "password |0|TLSv1.2 |ECDHE |0| | | |a|b |"])
@pytest.mark.parametrize("database", ["de|v", "|", "||", "a|b|c|d", "7|8", "a|b|7", " |x"])
def test_a_bar_in_the_database_name_does_not_hide_the_user_that_was_tried(logs: Logs, database: str, rest: str) -> None:
    tried = [line.split("|dev ")[0] + f"|{database} |admin |{rest}" for line in lines(12)]
    put_lines(logs, *tried)
    (row,) = logs.measure(in_s3(group_by=NAMES))
    assert [row[name] for name in NAMES] == ["203.0.113.7", "admin", database]
    assert (row["failures"], row["unreadable_lines"]) == (12, 0)


@pytest.mark.parametrize(
    ("typed", "user", "database"),
    [("a|b", "b", "dev |a"), ("|", "", "dev |"), ("a|b|c|d", "d", "dev |a|b|c"), ("x|password |7", "x", "dev")],
)
def test_a_bar_in_the_user_name_moves_only_names(logs: Logs, typed: str, user: str, database: str) -> None:
    put_lines(logs, *lines(12, typed))
    (row,) = logs.measure(in_s3(group_by=NAMES))
    assert [row[name] for name in NAMES] == ["203.0.113.7", user, database]
    assert (row["failures"], row["unreadable_lines"]) == (12, 0)


@pytest.mark.parametrize("rest", ["", "|password ", "|password |"], ids=["7 fields", "8 fields", "8 fields and a bar"])
def test_a_line_with_too_few_fields_has_one_field_for_each_name(logs: Logs, rest: str) -> None:
    put_lines(logs, *(line.split(" |password")[0] + rest for line in lines(12)))
    (row,) = logs.measure(in_s3(group_by=NAMES))
    assert [row[name] for name in NAMES] == ["203.0.113.7", "ann", "dev"]


@pytest.mark.parametrize("line_break", ["\n", "\r", "\r\n"])
def test_a_line_break_in_a_user_name_cuts_the_name_and_its_rest_is_counted_as_unreadable(
    logs: Logs, line_break: str
) -> None:
    put_lines(logs, *lines(12, f"cut{line_break}here"))
    (row,) = logs.measure(in_s3())
    assert (row["remote_host"], row["failures"], row["user_1"], row["unreadable_lines"]) == (
        "203.0.113.7", 12, "cut", 12,
    )  # fmt: skip


def test_bytes_that_are_no_utf_8_lose_no_line(logs: Logs) -> None:
    put_lines(logs, *(line.encode().replace(b"ann", b"\xff\xfe") for line in lines(12)))
    assert logs.measure(in_s3())[0]["failures"] == 12


@pytest.mark.parametrize("number", [9, 10, 15, 21, 30])
def test_a_line_may_have_as_many_fields_as(logs: Logs, number: int) -> None:
    put_lines(logs, *("|".join(line.split("|")[:9]) + "|x " * (number - 9) for line in lines(12, "a|b"[:1])))
    (row,) = logs.measure(in_s3())
    assert (row["failures"], row["user_1"], row["unreadable_lines"]) == (12, "a", 0)


@pytest.mark.parametrize(
    "line",
    [
        "garbage",
        "authentication failure |",
        "authentication failure |soon|203.0.113.7 |50000 |1|dev |ann |password |0|",
        "authentication failure |Sun, 31 Feb 2026 12:00:00:000|203.0.113.7 |50000 |1|dev |ann |password |0|",
        "authentication failure |Sun, 01 Mar 2026 12:00:00:000|203.0.113.7",
        "|||||||||||||",
    ],
)
def test_a_malformed_line_is_counted_and_costs_no_other(logs: Logs, line: str) -> None:
    put_lines(logs, *lines(6), line, *lines(12)[6:])
    (row,) = logs.measure(in_s3())
    assert (row["failures"], row["unreadable_lines"]) == (12, 1)


def test_a_blank_line_is_no_unreadable_one(logs: Logs) -> None:
    put_lines(logs, *lines(6), "", *lines(12)[6:])
    (row,) = logs.measure(in_s3())
    assert (row["failures"], row["unreadable_lines"]) == (12, 0)


@pytest.mark.parametrize("date", ["1 Mar 2099", "1 Mar 2001", "4 Mar 2026", "27 Feb 2026"])
def test_a_line_of_another_day_does_not_stand_for_what_the_files_show(logs: Logs, date: str) -> None:
    heart = heartbeat(START - 6 * HOUR + 15 * MINUTE, START + 15 * MINUTE)
    logs.put(audit_log_files([*heart, ConnectionEvent("waits", START + 7 * HOUR, "[local]", "rdsdb")]))
    before = coverage(logs, in_s3())
    forged = f"x|S, {date} 1:1:1:1|h|"
    put_lines(logs, *LINE.format(event=FAILURE, minute=1, user=f"u\n{forged}").split("\n"))
    after = coverage(logs, in_s3())
    assert (before.verdict, before.shown) == (after.verdict, after.shown)
    assert (before.unreadable_lines, after.unreadable_lines) == (0, 1)


@pytest.mark.parametrize("at", [START - 12 * HOUR - DAY, START - 12 * HOUR + 2 * DAY - MINUTE], ids=["first", "last"])
def test_a_line_of_the_scanned_days_or_the_day_before_is_readable(logs: Logs, at: datetime) -> None:
    line = LINE.format(event=FAILURE, minute=0, user="ann").replace("01 Mar 2026 12:00", f"{at:%d %b %Y %H:%M}")
    put_lines(logs, *lines(2), line)
    (row,) = logs.measure(in_s3())
    assert at in (row["oldest_event_at"], row["newest_event_at"])
    assert row["unreadable_lines"] == 0


def test_an_unreadable_line_is_told_in_the_coverage(logs: Logs) -> None:
    logs.put(audit_log_files(heartbeat(START - 6 * HOUR, START + 6 * HOUR)))
    put_lines(logs, "garbage", key=KEY.replace("12:53", "12:54"))
    found = coverage(logs, in_s3())
    assert (found.verdict, found.unreadable_lines) == ("seen", 1)
    assert found.reason == "1 line of the scanned days could not be read"


def test_an_empty_file_costs_nothing(logs: Logs) -> None:
    put_lines(logs, *lines(12))
    logs.put([(KEY.replace("12:53", "13:53"), b""), (KEY.replace("12:53", "14:53"), gzip.compress(b""))])
    (row,) = logs.measure(in_s3())
    assert (row["failures"], row["unreadable_lines"]) == (12, 0)


def test_a_truncated_file_fails_the_query_and_is_named(logs: Logs) -> None:
    put_lines(logs, *lines(12))
    logs.put([(KEY.replace("12:53", "13:53"), gzip.compress("\n".join(lines(12)).encode())[:-20])])
    with pytest.raises(QueryFailedError, match=r"HIVE_CURSOR_ERROR.*13:53\.gz"):
        logs.measure(in_s3())


@pytest.mark.parametrize("name", ["analytics_userlog", "analytics_useractivitylog", "other_connectionlog"])
def test_a_file_is_not_read_that_is(logs: Logs, name: str) -> None:
    put_lines(logs, *lines(12), key=KEY.replace("analytics_connectionlog", name))
    assert logs.measure(in_s3(cluster=CLUSTER))[0]["oldest_event_at"] is None


def test_without_a_cluster_the_files_of_all_are_read(logs: Logs) -> None:
    put_lines(logs, *lines(12), key=KEY.replace("analytics", "other"))
    assert logs.measure(in_s3())[0]["failures"] == 12


def call(**changed: Any) -> dict[str, Any]:
    user = {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/ann", "userName": "ann"}
    return {
        "userIdentity": user, "eventTime": "2026-03-01T12:00:00Z", "eventSource": "redshift.amazonaws.com",
        "eventName": "GetClusterCredentials", "sourceIPAddress": "203.0.113.7", "errorCode": "AccessDenied",
        "requestParameters": {"dbUser": "admin", "dbName": "dev", "clusterIdentifier": CLUSTER},
    } | changed  # fmt: skip


def called(logs: Logs, *records: dict[str, Any], **settings_in_force: Any) -> list[tuple[Any, ...]]:
    """Put records into a file of CloudTrail's; return host, user and database of each group of failures."""
    key = "AWSLogs/123456789012/CloudTrail/eu-central-1/2026/03/01/x_CloudTrail_eu-central-1_20260301T1205Z_x.json.gz"
    logs.put([(key, gzip.compress(json.dumps({"Records": records}).encode()))])
    columns = ("remote_host", "user_name", "database_name")
    rows = logs.measure(in_s3("cloudtrail", threshold=1, group_by=columns, **settings_in_force))
    return [tuple(row[column] for column in columns) for row in rows if row["failures"]]


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, [("203.0.113.7", "admin", "dev")]),
        ({"eventName": "GetClusterCredentialsWithIAM", "requestParameters": {"dbName": "dev"}},
         [("203.0.113.7", "IAM:ann", "dev")]),
        ({"eventSource": "redshift-serverless.amazonaws.com", "eventName": "GetCredentials",
          "requestParameters": {"workgroupName": CLUSTER}}, [("203.0.113.7", "IAM:ann", "")]),
        ({"requestParameters": None}, [("203.0.113.7", "IAM:ann", "")]),
        ({"requestParameters": None, "userIdentity": {"sessionContext": {"sessionIssuer": {"userName": "etl"}}}},
         [("203.0.113.7", "IAMR:etl", "")]),
        ({"requestParameters": None, "userIdentity": {"arn": "arn:aws:sts::1:x"}},
         [("203.0.113.7", "arn:aws:sts::1:x", "")]),
        ({"requestParameters": None, "userIdentity": None}, [("203.0.113.7", "", "")]),
        ({"errorCode": None}, []),
        ({"eventName": "DescribeClusters"}, []),
        ({"eventSource": "rds.amazonaws.com"}, []),
        ({"requestParameters": {"dbUser": "admin", "clusterIdentifier": "other"}}, []),
    ],
)  # fmt: skip
def test_a_call_in_cloudtrail_is_a_failure_of(
    logs: Logs, changed: dict[str, Any], found: list[tuple[str, str, str]]
) -> None:
    assert called(logs, call(**changed), cluster=CLUSTER) == found


@pytest.mark.parametrize(
    "error",
    ["Throttling", "ThrottlingException", "TooManyRequestsException", "Client.RequestLimitExceeded", "InternalFailure",
     "InternalServerException", "ServiceUnavailable", "ClusterNotFound", "ClusterNotFoundFault",
     "ResourceNotFoundException", "UnsupportedOperation", "ValidationException"],
)  # fmt: skip
def test_a_call_that_was_not_refused_but_failed_is_no_failure(logs: Logs, error: str) -> None:
    assert called(logs, call(errorCode=error), cluster=CLUSTER) == []


@pytest.mark.parametrize(
    "error", ["AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation", "ExpiredToken", "SomethingNew"]
)
def test_a_call_that_was_refused_or_failed_in_an_unknown_way_is_a_failure(logs: Logs, error: str) -> None:
    assert called(logs, call(errorCode=error), cluster=CLUSTER) == [("203.0.113.7", "admin", "dev")]


def test_a_busy_job_that_is_throttled_and_then_succeeds_has_not_got_in(logs: Logs) -> None:
    throttled = [
        call(errorCode="ThrottlingException", eventTime=f"2026-03-01T12:{minute:02}:00Z") for minute in range(12)
    ]
    granted = call(errorCode=None, eventTime="2026-03-01T12:20:00Z")
    assert called(logs, *throttled, granted) == []


REFUSED = [call(eventTime=f"2026-03-01T12:{minute:02}:00Z", requestParameters=None) for minute in range(12)]
GRANTED = call(errorCode=None, eventTime="2026-03-01T12:20:00Z")


def got_in_as(logs: Logs, *records: dict[str, Any]) -> Any:
    """As which user the host got in that made these calls."""
    called(logs, *records)
    (row,) = logs.measure(in_s3("cloudtrail"))
    return row["got_in_user"]


@pytest.mark.parametrize(
    "identity",
    [
        {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/ann", "userName": "ann"},
        {"sessionContext": {"sessionIssuer": {"userName": "etl"}}},
        {"arn": "arn:aws:sts::1:x"},
    ],
    ids=["user", "role", "arn"],
)
def test_a_granted_call_after_refused_ones_without_parameters_got_in_as_the_user_that_was_granted(
    logs: Logs, identity: dict[str, Any]
) -> None:
    calls = [each | {"userIdentity": identity} for each in (*REFUSED, GRANTED)]
    assert got_in_as(logs, *calls) == "admin"


def test_a_granted_call_of_somebody_else_after_refused_ones_without_parameters_did_not_get_in(logs: Logs) -> None:
    bob = {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/bob", "userName": "bob"}
    assert got_in_as(logs, *REFUSED, GRANTED | {"userIdentity": bob}) is None


def test_who_was_refused_a_user_and_then_granted_another_did_not_get_in(logs: Logs) -> None:
    refused = [each | {"requestParameters": {"dbUser": "root"}} for each in REFUSED]
    assert got_in_as(logs, *refused, GRANTED) is None


def test_the_first_refused_call_without_parameters_may_come_after_one_with_them(logs: Logs) -> None:
    refused = [call(eventTime=f"2026-03-01T12:{minute:02}:30Z") for minute in range(12)]
    assert got_in_as(logs, *refused, REFUSED[0] | {"eventTime": "2026-03-01T12:25:00Z"}, GRANTED) == "admin"


def test_a_granted_call_after_the_refused_ones_got_in(logs: Logs) -> None:
    logs.put(
        cloudtrail_files([*failures(10, START), ConnectionEvent(LOGIN, START + 20 * MINUTE, "203.0.113.7", "ann")])
    )
    assert logs.measure(in_s3("cloudtrail"))[0]["got_in_user"] == "ann"


def test_a_record_without_a_time_is_counted_as_unreadable(logs: Logs) -> None:
    assert called(logs, call(), call(eventTime="soon"), call(eventTime=None)) == [("203.0.113.7", "admin", "dev")]
    assert logs.measure(in_s3("cloudtrail"))[0]["unreadable_lines"] == 2


@pytest.mark.parametrize("source", sorted(FILES))
@pytest.mark.parametrize(
    ("hours", "verdict", "says"),
    [
        pytest.param((-6, 6), "seen", "", id="events on both sides"),
        pytest.param(None, "unseen", "holds no event in the scanned days; check that", id="no file"),
        pytest.param((2, 6), "unseen", "begins only after the interval", id="only files after the interval"),
        pytest.param((-6, -2), "unseen", "has stopped: its newest event", id="only files before the interval"),
        pytest.param((-6, 0), "partial", "up to 2026-03-01 12:15:00 UTC only", id="the files end inside it"),
        pytest.param((0, 6), "partial", "from 2026-03-01 12:15:00 UTC on only", id="the files begin inside it"),
    ],
)
def test_coverage_of_the_scanned_days_is(
    logs: Logs, source: str, hours: tuple[int, int] | None, verdict: str, says: str
) -> None:
    if hours:
        seen = heartbeat(*(START + hour * HOUR + 15 * MINUTE for hour in hours))
        unseen = [ConnectionEvent("waits for the next", START + 7 * HOUR, "[local]", "rdsdb")]  # and so is in no file
        logs.put(FILES[source](seen + (unseen if source == "audit_log_s3" else [])))
    found = coverage(logs, in_s3(source))
    assert found.verdict == verdict
    assert says in found.reason
