"""``python -m redshift_auth_alert.migrate``: from the variables of the Lambda that this package replaces to a monitor.

    aws lambda get-function-configuration --function-name NAME --query Environment.Variables > lambda.json
    python -m redshift_auth_alert.migrate lambda.json --write include/monitors/default.yaml --force

Reads only that file, and prints what is left to do: nothing is copied that is secret, and no AWS is asked.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from redshift_auth_alert.errors import AlertError, SettingsError
from redshift_auth_alert.settings import Settings, unknown_settings, validated

CONNECTION = "/airflow/connections/redshift_default"
# The Lambda's variable -> the setting, for those that a monitor takes as they are.
_SETTINGS = {
    "env": "environment",
    "sns_topic_arn": "sns_topic_arn",
    "user_ps": "user_parameter",
    "password_ps": "password_parameter",
    "threshold": "threshold",
}
_CONNECTION = ("endpoint", "port", "dbname")
VARIABLES = (*_CONNECTION, *_SETTINGS)


@dataclass(frozen=True)
class Migration:
    """A monitor's settings, as they stand in its file, and the connection that it signs in through, as JSON."""

    settings: dict[str, Any]
    connection: dict[str, Any]

    @property
    def monitor_file(self) -> str:
        """The monitor file."""
        return yaml.safe_dump(self.settings, sort_keys=False)

    @property
    def commands(self) -> str:
        """What is left to do, to copy and paste."""
        connection = shlex.quote(json.dumps(self.connection))
        parameters = {
            "ExistingTopicArn": self.settings["sns_topic_arn"],
            "UserParameter": self.settings["user_parameter"],
            "PasswordParameter": self.settings["password_parameter"],
        }
        overrides = " \\\n    ".join(shlex.quote(f"{name}={value}") for name, value in parameters.items())
        return f"""\
# 1. The connection, which holds no secret, where Airflow looks it up (docs/credentials.md):
aws ssm put-parameter --type SecureString --name {CONNECTION} --value {connection}

# 2. In Redshift, for the user that {self.settings["user_parameter"]} names:
#    GRANT ROLE sys:monitor TO that_user;

# 3. What the execution role may do, the alarm and the dashboard; alerts go to the topic that you have:
aws cloudformation deploy --template-file deploy/template.yaml --stack-name redshift-auth-alert \\
  --capabilities CAPABILITY_IAM \\
  --parameter-overrides ExecutionRoleArn=ROLE AlertEmail=YOU@EXAMPLE.COM \\
    {overrides}

# 4. The package:
make deploy BUCKET=BUCKET ENVIRONMENT=ENVIRONMENT

# 5. Compare a run with what the Lambda said, then turn the Lambda's schedule off:
airflow dags trigger redshift_auth_failure_alert --conf '{{"dry_run": true}}'
aws events disable-rule --name RULE
"""


def migrate(variables: Mapping[str, Any]) -> Migration:
    """Return what the Lambda's ``variables`` become. Raises SettingsError that names what is missing or invalid."""
    where = "the Lambda's variables"
    given = {name: str(value).strip() for name, value in variables.items() if value is not None}
    problems = [f"{name} is missing" for name in VARIABLES if not given.get(name)]
    if problems:
        problems += unknown_settings(variables, VARIABLES)
        raise SettingsError(f"{where}: " + "; and ".join(problems))
    endpoint = re.fullmatch(r"([a-z0-9.-]+)(?::(\d+))?(?:/\w*)?", given["endpoint"].lower())
    if not endpoint or endpoint[2] not in (None, given["port"]):
        raise SettingsError(
            f"{where}: endpoint is {given['endpoint']!r} with port {given['port']!r}; valid: a host's name, or as the "
            "console shows it host:port/database with that port"
        )
    if given["sns_topic_arn"].startswith("{"):
        raise SettingsError(f"{where}: sns_topic_arn is {given['sns_topic_arn']!r}; valid: an SNS topic ARN")
    host = endpoint[1]
    numbers = {}
    for name, most in (("port", 65_535), ("threshold", 1_000_000)):
        if not (given[name].isdecimal() and 1 <= int(given[name]) <= most):
            raise SettingsError(f"{where}: {name} is {given[name]!r}; valid: an integer from 1 to {most}")
        numbers[name] = int(given[name])
    serverless = ".redshift-serverless." in host
    settings = {setting: given[name] for name, setting in _SETTINGS.items()} | {"threshold": numbers["threshold"]}
    settings["source"] = "sys_connection_log" if serverless else "stl_connection_log"
    settings["metrics_namespace"] = "RedshiftAuthAlert"
    validated(Settings, settings, where)
    connection = {"conn_type": "redshift", "host": host, "port": numbers["port"], "schema": given["dbname"]}
    return Migration(settings, connection)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m redshift_auth_alert.migrate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("variables", type=Path, help="JSON file of the Lambda's environment variables")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the monitor file")
    parser.add_argument("--force", action="store_true", help="replace it where it is there")
    options = parser.parse_args(arguments)
    try:
        migration = migrate(_read(options.variables))
        if options.write:
            _write(options.write, migration.monitor_file, replace=options.force)
    except AlertError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"# {options.write or 'The monitor file, for include/monitors/'}:")
    print(migration.monitor_file)
    print(migration.commands, end="")
    return 0


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from error
    if isinstance(content, dict) and "Environment" in content:  # the whole configuration of the function
        whole = content["Environment"]
        content = whole.get("Variables") if isinstance(whole, dict) else whole
    if not isinstance(content, dict):
        raise SettingsError(f"{file} holds no object; valid: variables by name, as the command in --help writes")
    return content


def _write(file: Path, content: str, *, replace: bool) -> None:
    try:
        with file.open("w" if replace else "x", encoding="utf-8") as opened:
            opened.write(content)
    except FileExistsError as error:
        raise SettingsError(f"{file} is there already: name another, or replace it with --force") from error
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
