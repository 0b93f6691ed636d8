"""Other teams' content in plugins.zip or requirements.txt of an environment is not touched."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from deploy.bundle import files_to_install, pack
from tests.conftest import ROOT
from tests.deploy.conftest import Bucket, Run, read_by
from tests.deploy.mwaa_service import Service
from tests.deploy.test_deployment import DAG, MANIFEST

PLUGINS = {"others.py": b"import this\n", ".airflowignore": b"others/\n"}
REQUIREMENTS = b"--constraint c.txt\nhumanize==4.1\n"
OURS = files_to_install()
OUR_PLUGINS = {
    name: zipfile.ZipFile(io.BytesIO(OURS["plugins.zip"])).read(name)
    for name in zipfile.ZipFile(io.BytesIO(OURS["plugins.zip"])).namelist()
}
OUR_PINS = [line for line in OURS["requirements.txt"].decode().splitlines() if "==" in line]
BOTH_PLUGINS = OUR_PLUGINS | {
    "others.py": b"",
    ".airflowignore": b"# theirs\nothers/\n\nredshift_auth_alert/  # the alert's\n",
}


def share(mwaa: Service, bucket: Bucket, plugins: dict[str, bytes], requirements: bytes) -> None:
    read_by(mwaa, bucket, "Plugins", "team/plugins.zip", pack(plugins))
    read_by(mwaa, bucket, "Requirements", "team/requirements.txt", requirements)


def refused(run: Run, bucket: Bucket, mwaa: Service, *what: str) -> str:
    before = bucket.versions()
    status, printed = run(*what)
    assert (status, bucket.versions(), mwaa.updates) == (1, before, [])
    return printed


def test_all_that_is_to_be_added_is_printed_and_nothing_is_changed(run: Run, bucket: Bucket, mwaa: Service) -> None:
    share(mwaa, bucket, PLUGINS, REQUIREMENTS)
    printed = refused(run, bucket, mwaa).splitlines()
    start = printed.index("Put into the source of team/plugins.zip:")
    files = [f"  {name}" for name in OUR_PLUGINS if name != ".airflowignore"]
    assert printed[start + 1 :] == [
        *files,
        "  .airflowignore: the line redshift_auth_alert/",
        "Put into the source of team/requirements.txt:",
        *(f"  {pin}" for pin in OUR_PINS),
        f"Once the environment reads that: make deploy BUCKET={bucket.name} ENVIRONMENT=alerts ARGS=--dags-only",
    ]


def test_what_makes_it_shared_is_named(run: Run, bucket: Bucket, mwaa: Service) -> None:
    share(mwaa, bucket, PLUGINS, REQUIREMENTS)
    printed = refused(run, bucket, mwaa)
    assert "Other teams' content in team/plugins.zip:\n  others.py\n  .airflowignore: the line others/\n" in printed
    assert "in team/requirements.txt:\n  --constraint c.txt\n  humanize==4.1\n" in printed


@pytest.mark.parametrize(
    ("plugins", "requirements"),
    [
        pytest.param(PLUGINS, OURS["requirements.txt"], id="plugins"),
        pytest.param({".airflowignore": b"others/\n"}, OURS["requirements.txt"], id="a line of .airflowignore"),
        pytest.param(OUR_PLUGINS, REQUIREMENTS, id="requirements"),
        pytest.param(OUR_PLUGINS, OURS["requirements.txt"] + b"humanize\n", id="a line beside ours"),
        pytest.param(OUR_PLUGINS, OURS["requirements.txt"] + b"--index-url x\n", id="an option beside ours"),
        pytest.param(OUR_PLUGINS, b"pandas==3.0.5\n", id="a pin like one of ours alone"),
        pytest.param(OUR_PLUGINS, OURS["requirements.txt"].replace(b"==3.0.5", b">=2"), id="a range in place of a pin"),
        pytest.param(OUR_PLUGINS, OURS["requirements.txt"] + b"pandas<2; python_version < '3.9'\n", id="a marker"),
    ],
)
def test_an_environment_is_shared_with_one_part_of_another_team(
    run: Run, bucket: Bucket, mwaa: Service, plugins: dict[str, bytes], requirements: bytes
) -> None:
    share(mwaa, bucket, plugins, requirements)
    assert "environment 'alerts' is shared" in refused(run, bucket, mwaa)


def test_with_everything_in_place_deploy_says_how_to_go_on(run: Run, bucket: Bucket, mwaa: Service) -> None:
    share(mwaa, bucket, BOTH_PLUGINS, OURS["requirements.txt"] + REQUIREMENTS)
    printed = refused(run, bucket, mwaa)
    assert "Put into" not in printed
    assert printed.endswith(" ARGS=--dags-only")


def test_dags_only_uploads_the_dags_alone(run: Run, bucket: Bucket, mwaa: Service) -> None:
    share(mwaa, bucket, BOTH_PLUGINS, OURS["requirements.txt"] + REQUIREMENTS)
    before = bucket.objects()
    status, _ = run("deploy", "--dags-only")
    there = bucket.objects()
    assert status == 0
    assert {DAG, MANIFEST} <= there.keys()
    assert {key: there[key] for key in before} == before
    assert {key.split("/")[0] for key in there.keys() - before} == {"dags"}
    assert mwaa.updates == []


def test_dags_only_removes_what_is_gone_from_the_checkout(
    run: Run, bucket: Bucket, mwaa: Service, edited: Path
) -> None:
    share(mwaa, bucket, BOTH_PLUGINS, OURS["requirements.txt"])
    other = edited / "include" / "sql" / "other.sql"
    other.write_text("-- gone\n")
    run("deploy", "--dags-only")
    assert "dags/include/sql/other.sql" in bucket.objects()
    other.unlink()
    run("deploy", "--dags-only")
    assert "dags/include/sql/other.sql" not in bucket.objects()


def test_a_dry_run_of_dags_only_changes_nothing(run: Run, bucket: Bucket, mwaa: Service) -> None:
    share(mwaa, bucket, BOTH_PLUGINS, OURS["requirements.txt"])
    before = bucket.versions()
    status, printed = run("deploy", "--dags-only", "--dry-run")
    assert status == 0
    assert f"write   {DAG}\n" in printed
    assert "update" not in printed
    assert bucket.versions() == before


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("Pandas == 3.0.5  # for the alert", id="another spelling, with a comment"),
        pytest.param("\n\npandas==3.0.5 ; python_version >= '3.9'", id="blank lines and a marker that holds"),
        pytest.param("pandas[performance]==3.0.5", id="an extra"),
        pytest.param("pandas==3.0.5 \\\n  --hash=sha256:00", id="a hash on a line of its own"),
        pytest.param("\r\npandas==3.0.5\r", id="line ends of Windows"),
    ],
)
def test_dags_only_takes_a_pin_as_other_teams_write_it(run: Run, bucket: Bucket, mwaa: Service, written: str) -> None:
    pins = OURS["requirements.txt"].decode().replace("pandas==3.0.5", written)
    share(mwaa, bucket, BOTH_PLUGINS, f"\ufeff# für alle\n{pins}".encode())
    assert run("deploy", "--dags-only")[0] == 0


@pytest.mark.parametrize(
    "written", ["", "pandas", "pandas==3.0.4", "pandas>=3", "pandas==3.0.5; python_version < '3.9'", "# pandas==3.0.5"]
)
def test_dags_only_names_a_pin_that_is_missing_or_different(
    run: Run, bucket: Bucket, mwaa: Service, written: str
) -> None:
    pins = OURS["requirements.txt"].decode().replace("pandas==3.0.5", written)
    share(mwaa, bucket, BOTH_PLUGINS, pins.encode())
    assert "Put into the source of team/requirements.txt:\n  pandas==3.0.5\nOnce" in refused(
        run, bucket, mwaa, "deploy", "--dags-only"
    )


@pytest.mark.parametrize(
    ("plugins", "named"),
    [
        ({"redshift_auth_alert_plugin.py": b"# old\n"}, "redshift_auth_alert_plugin.py"),
        ({"redshift_auth_alert/settings/model.py": b""}, "redshift_auth_alert/settings/model.py"),
        ({".airflowignore": b"others/\n#redshift_auth_alert/\n"}, ".airflowignore: the line redshift_auth_alert/"),
    ],
    ids=["a plugin", "a module", "the line of .airflowignore"],
)
def test_dags_only_names_a_file_that_is_different(
    run: Run, bucket: Bucket, mwaa: Service, plugins: dict[str, bytes], named: str
) -> None:
    share(mwaa, bucket, BOTH_PLUGINS | plugins, OURS["requirements.txt"])
    says = refused(run, bucket, mwaa, "deploy", "--dags-only")
    assert f"Put into the source of team/plugins.zip:\n  {named}\nOnce" in says


def test_dags_only_looks_at_the_version_that_the_environment_reads(run: Run, bucket: Bucket, mwaa: Service) -> None:
    share(mwaa, bucket, PLUGINS, OURS["requirements.txt"])
    bucket.put("team/plugins.zip", pack(BOTH_PLUGINS))
    assert "  redshift_auth_alert_plugin.py\n" in refused(run, bucket, mwaa, "deploy", "--dags-only")


def test_dags_only_needs_the_pins_of_the_environments_airflow(run: Run, bucket: Bucket, mwaa: Service) -> None:
    mwaa.found["AirflowVersion"] = "3.2.1"
    share(mwaa, bucket, BOTH_PLUGINS, OURS["requirements.txt"])
    assert "  apache-airflow==3.2.1\n" in refused(run, bucket, mwaa, "deploy", "--dags-only")


def test_dags_only_refuses_to_overwrite_what_no_deployment_wrote(run: Run, bucket: Bucket, mwaa: Service) -> None:
    share(mwaa, bucket, BOTH_PLUGINS, OURS["requirements.txt"])
    bucket.put(DAG, b"# theirs\n")
    assert f"no deployment wrote {DAG}" in refused(run, bucket, mwaa, "deploy", "--dags-only")


def test_dags_only_does_not_go_with_an_upgrade(run: Run) -> None:
    status, says = run("deploy", "--dags-only", "--airflow", "3.3.1")
    assert status == 2
    assert "argument --airflow: not allowed with argument --dags-only" in says


def test_undeploy_leaves_shared_files_and_prints_what_to_take_out(run: Run, bucket: Bucket, mwaa: Service) -> None:
    share(mwaa, bucket, BOTH_PLUGINS, b"pandas==2.0\n" + REQUIREMENTS)
    shared = bucket.objects()
    bucket.put(MANIFEST, b'{"objects": ["dags/redshift_auth_failure_alert.py"]}')
    bucket.put(DAG, b"")
    status, printed = run("undeploy")
    assert status == 0
    assert (bucket.objects(), mwaa.updates) == (shared, [])
    assert "take out of the source of team/plugins.zip:\n  redshift_auth_alert/__init__.py\n" in printed
    assert "  .airflowignore: the line redshift_auth_alert/\n" in printed
    assert "take out of the source of team/requirements.txt:\n  pandas==2.0\n" in printed
    assert "others" not in printed
    assert "humanize" not in printed


def test_undeploy_with_dags_only_leaves_files_of_ours_too(run: Run, bucket: Bucket, mwaa: Service) -> None:
    run()
    status, printed = run("undeploy", "--dags-only")
    assert status == 0
    assert bucket.objects() == OURS
    assert "take out of the source of requirements.txt:\n  apache-airflow==3.3.1\n" in printed
    assert len(mwaa.updates) == 1


def test_plugins_of_an_earlier_release_are_ours(run: Run, bucket: Bucket, mwaa: Service) -> None:
    old = {"redshift_auth_alert/breaches.py": b"", ".airflowignore": b"# other words\nredshift_auth_alert/\n"}
    share(mwaa, bucket, old, b"\n# nothing\n")
    assert run()[0] == 0
    assert bucket.get("team/plugins.zip") == OURS["plugins.zip"]
    assert bucket.get("team/requirements.txt") == (ROOT / "requirements.txt").read_bytes()
