"""plugins.zip and requirements.txt of an environment, which others' DAGs may share: what is theirs stays."""

from __future__ import annotations

import io
import zipfile

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from deploy.bundle import ROOT, pack
from redshift_auth_alert.errors import AlertError

_OURS = ("redshift_auth_alert/", "redshift_auth_alert_plugin.py")
_IGNORED = ".airflowignore"
_BEGIN, _END = "# redshift-auth-alert: begin", "# redshift-auth-alert: end"


class DeployError(AlertError):
    """Nothing was changed, or what was changed has been taken back, unless the message says otherwise."""


def merge_plugins(there: bytes | None, ours: bytes) -> bytes:
    """Return plugins.zip with our members in place of those of an earlier deployment; ``there`` is the present one."""
    theirs, mine = _without_ours(there), members(ours)
    return pack(theirs | mine | {_IGNORED: theirs.get(_IGNORED, b"") + mine[_IGNORED]})


def remove_from_plugins(there: bytes | None) -> bytes:
    """Return plugins.zip without our members; an empty list of ignored files stays, as MWAA wants some file in it."""
    return pack({_IGNORED: b""} | _without_ours(there))


def members(packed: bytes | None) -> dict[str, bytes]:
    """Return the members of a plugins.zip by name."""
    if not packed:
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as plugins:
            return {name: plugins.read(name) for name in plugins.namelist() if not name.endswith("/")}
    except zipfile.BadZipFile as error:
        raise DeployError(f"plugins.zip of the environment is no zip file ({error}): mend or remove it") from error


def _without_ours(packed: bytes | None) -> dict[str, bytes]:
    kept = {name: content for name, content in members(packed).items() if not name.startswith(_OURS)}
    if _IGNORED in kept:
        ours = (ROOT / "plugins" / _IGNORED).read_bytes().splitlines()
        lines = [line for line in kept[_IGNORED].splitlines() if line not in ours]
        kept[_IGNORED] = b"".join(line + b"\n" for line in lines)
    return kept


def merge_requirements(there: bytes | None, ours: bytes) -> bytes:
    """Return requirements.txt with our lines between two marks.

    Raises DeployError where a line there contradicts one of ours.
    """
    kept = remove_from_requirements(there).decode()
    pins = {_name(line): line for line in ours.decode().splitlines() if "==" in line}
    for line in kept.splitlines():
        try:
            theirs = Requirement(line.split("#")[0].strip())
        except InvalidRequirement:  # an option, a comment, a blank line
            continue
        mine = pins.get(canonicalize_name(theirs.name))
        version = mine and mine.split("==")[1]
        if version and not theirs.specifier.contains(version, prereleases=True):
            raise DeployError(
                f"requirements.txt of the environment has {line.strip()!r}, which contradicts {mine!r} of this "
                "package, the version that its Airflow is made for: widen or remove that line"
            )
    return f"{kept}{_BEGIN}\n{ours.decode()}{_END}\n".encode()


def remove_from_requirements(there: bytes | None) -> bytes:
    """Return requirements.txt without what stands between our marks."""
    kept, ours = [], False
    for line in (there or b"").decode().splitlines():
        ours = (ours or line == _BEGIN) and line != _END
        if not ours and line != _END:
            kept.append(f"{line}\n")
    return "".join(kept).encode()


def _name(requirement: str) -> str:
    return canonicalize_name(requirement.split("==", maxsplit=1)[0].split("[", maxsplit=1)[0])
