from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
import sqlglot
from sqlfluff.core import FluffConfig, Linter

HERE = Path(__file__).parent


def leave_out(why: str) -> NoReturn:
    """Skip the test; in CI, where nothing may be left out, fail it."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)


def require(program: str) -> None:
    """Leave the test out where the machine lacks ``program``."""
    if not shutil.which(program):
        leave_out(f"needs {program}")


def refused_by_sqlglot(sql: str, dialect: str) -> str | None:
    try:
        statements = sqlglot.parse(sql, read=dialect)
    except sqlglot.ParseError as error:
        return str(error)
    # A Command is a text that it does not know and lets pass.
    return next((f"not parsed: {each}" for each in statements if isinstance(each, sqlglot.exp.Command)), None)


@cache
def linter(dialect: str) -> Linter:
    return Linter(FluffConfig(overrides={"dialect": dialect, "templater": "raw", "large_file_skip_byte_limit": 0}))


def refused_by_sqlfluff(sql: str, dialect: str) -> str | None:
    parsed = linter(dialect).parse_string(sql)
    if parsed.violations:
        return parsed.violations[0].desc()
    assert parsed.tree, "sqlfluff has read nothing"
    return "an unparsable segment" if "unparsable" in parsed.tree.type_set() else None


@pytest.fixture(scope="session")
def node() -> Iterator[Callable[[str, str], str | None]]:
    """Asks the grammars that npm has. One process for all tests, as loading a grammar takes seconds."""
    require("node")
    if not (HERE / "node_modules" / ".ready").exists():
        leave_out("needs the grammars that make test installs")
    command = ["node", str(HERE / "grammars.mjs")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        questions, answers = process.stdin, process.stdout

        def ask(grammar: str, sql: str) -> str | None:
            print(json.dumps({"grammar": grammar, "sql": sql}), file=questions, flush=True)
            answer: str | None = json.loads(answers.readline())
            return answer

        yield ask
        questions.close()


@pytest.fixture
def refusal(request: pytest.FixtureRequest) -> Callable[[str, str], str | None]:
    """What a grammar, as ``sqlfluff redshift``, refuses in a text of SQL; None if nothing."""

    def refusal(grammar: str, sql: str) -> str | None:
        parser, dialect = grammar.split()
        if parser == "sqlglot":
            return refused_by_sqlglot(sql, dialect)
        if parser == "sqlfluff":
            return refused_by_sqlfluff(sql, dialect)
        return request.getfixturevalue("node")(dialect, sql)

    return refusal
