"""What a deployment changes in an environment, and what it leaves to other teams."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from contextlib import suppress
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from deploy.bundle import pack
from deploy.environment import Environment, Objects, Plan
from redshift_auth_alert.settings.errors import AlertError

_SETTINGS = {"plugins.zip": "Plugins", "requirements.txt": "Requirements"}
_EMPTY = {"plugins.zip": pack({".airflowignore": b""}), "requirements.txt": b""}  # MWAA refuses a zip without files
_OUR_PLUGINS = ("redshift_auth_alert/", "redshift_auth_alert_plugin.py")
_LINE = re.compile(r"^[ \t]*([^#\s].*?)[ \t\r]*(?:[ \t]#.*)?$", re.MULTILINE)  # without comments
_PYTHON = {"python_version": "3.12", "python_full_version": "3.12.0", "sys_platform": "linux"}  # of each MWAA image


class _Installed(NamedTuple):
    """A file as the environment reads it: which parts are other teams' or ours, and which of ours it lacks."""

    name: str
    key: str
    content: bytes | None
    theirs: list[str]
    ours: list[str]
    missing: list[str]


def plan_deployment(environment: Environment, bundle: dict[str, bytes], *, dags_only: bool) -> Plan:
    """Return what it takes to have the ``bundle`` there. Raises AlertError where that is not for us to do."""
    installed = _installed(environment, bundle)
    shared = _listed("Other teams' content in", {each.key: each.theirs for each in installed})
    lacking = _listed("Put into the source of", {each.key: each.missing for each in installed})
    if lacking if dags_only else shared:
        raise AlertError(
            f"Nothing is changed: environment {environment.name!r} "
            + ("lacks what the DAGs need." if dags_only else "is shared, and another team's upload would drop ours.")
            + f"{shared}{lacking}\nOnce the environment reads that: make deploy BUCKET={environment.bucket} "
            f"ENVIRONMENT={environment.name} ARGS=--dags-only"
        )
    files = {} if dags_only else _files(installed, bundle)
    manifest, earlier = _deployed(environment)
    wanted = {environment.dags + name[4:]: content for name, content in bundle.items() if name.startswith("dags/")}
    present = {key: environment.get(key) for key in wanted}
    changes: Objects = {key: content for key, content in wanted.items() if present[key] != content}
    if foreign := [key for key in changes if present[key] is not None and key not in earlier]:
        raise AlertError(f"no deployment wrote {', '.join(foreign)}: move these objects, or remove your own copies")
    changes |= dict.fromkeys(earlier - wanted.keys())
    if not changes and earlier == wanted.keys():
        return Plan({}, files, {})
    known, done = (json.dumps({"objects": sorted(keys)}).encode() for keys in (earlier | wanted.keys(), wanted))
    # The manifest comes first too: a missing right shows at once, and an interrupted deployment can be resumed.
    return Plan({manifest: known}, files, changes | {manifest: done})


def plan_removal(environment: Environment, bundle: dict[str, bytes], *, dags_only: bool) -> Plan:
    """Return what it takes to have nothing of ours there, with advice where other teams share the files."""
    manifest, earlier = _deployed(environment)
    if not earlier:
        raise AlertError(f"nothing of this package was deployed: {environment.bucket!r} has no {manifest}")
    installed = _installed(environment, bundle)
    shared = dags_only or any(each.theirs for each in installed)
    files = {} if shared else _files([each for each in installed if each.content is not None], _EMPTY)
    advice = _listed("Left as it is; take out of the source of", {each.key: each.ours for each in installed if shared})
    # The manifest goes last, so that an interrupted removal can be resumed.
    return Plan(dict.fromkeys(earlier), files, {manifest: None}, advice=advice)


def _files(installed: list[_Installed], wanted: dict[str, bytes]) -> dict[str, tuple[str, bytes]]:
    changed = {each.name: each.key for each in installed if each.content != wanted[each.name]}
    return {_SETTINGS[name]: (key, wanted[name]) for name, key in changed.items()}


def _listed(heading: str, parts: dict[str, list[str]]) -> str:
    return "".join("\n  ".join([f"\n{heading} {key}:", *each]) for key, each in parts.items() if each)


def _deployed(environment: Environment) -> tuple[str, set[str]]:
    """Return the manifest's key, and what earlier deployments wrote, by the manifest."""
    key = f"{environment.dags}/include/redshift_auth_alert.json"
    try:
        return key, set(json.loads(environment.get(key) or b'{"objects": []}')["objects"])
    except (ValueError, KeyError, TypeError) as error:
        raise AlertError(f"the manifest {key} cannot be read ({error}): restore an earlier version of it") from error


def _installed(environment: Environment, bundle: dict[str, bytes]) -> list[_Installed]:
    found = []
    for name, setting in _SETTINGS.items():
        key, version = (environment.found.get(f"{setting}S3{each}") for each in ("Path", "ObjectVersion"))
        latest = environment.get(key or name)
        read = (environment.get(key, version) if version else latest) if key else None
        there = _Installed(name, key or name, read, *_compare(name, read, bundle[name]))
        if not there.theirs and _compare(name, latest, bundle[name])[0]:
            raise AlertError(f"{there.key} has a newer version of another team: update to it, or remove it")
        found.append(there)
    return found


def _compare(name: str, there: bytes | None, bundled: bytes) -> tuple[list[str], list[str], list[str]]:
    read = _plugins if name == "plugins.zip" else _requirements
    found, wanted = read(there or _EMPTY[name]), read(bundled)
    names, names_there = ({part.partition("==")[:2] for part in each} for each in (wanted, found))
    ours = [part for part in found if part.partition("==")[:2] in names or part.startswith(_OUR_PLUGINS)]
    theirs = [part for part in found if part not in ours]
    if read is _requirements and not {name for name in names if name[1]} <= names_there:
        theirs += ours  # other teams may pin one of our packages too: the file is ours only where it pins all of them
    return theirs, ours, [part for part in wanted if found.get(part) != wanted[part]]


def _plugins(packed: bytes) -> dict[str, bytes]:
    """Return each file of a plugins.zip with its content, and each line of its .airflowignore."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as plugins:
            files = {info.filename: plugins.read(info) for info in plugins.infolist() if not info.is_dir()}
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise AlertError(f"plugins.zip of the environment cannot be read ({error}): fix or remove it") from error
    lines = _LINE.findall(files.pop(".airflowignore", b"").decode(errors="replace"))
    return files | {f".airflowignore: the line {line}": b"" for line in lines}


def _requirements(content: bytes) -> dict[str, bytes]:
    """Return each pin in force on MWAA as ``name==version``, and any other line as it is."""
    found = {}
    for line in _LINE.findall(re.sub(r"\\\r?\n|\s--hash=\S+", " ", content.decode("utf-8-sig", errors="replace"))):
        part = line
        with suppress(InvalidRequirement):
            requirement = Requirement(line)
            if not requirement.marker or requirement.marker.evaluate(_PYTHON):
                part = canonicalize_name(requirement.name) + str(requirement.specifier)
        found[part] = b""
    return found
