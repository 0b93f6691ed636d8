"""plugins.zip and requirements.txt of an environment, which others' DAGs may share: what is theirs stays."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from deploy.bundle import ROOT, pack
from redshift_auth_alert.settings.errors import AlertError

_OURS = ("redshift_auth_alert/", "redshift_auth_alert_plugin.py")
_IGNORED = ".airflowignore"
_BEGIN, _END = "# redshift-auth-alert: begin", "# redshift-auth-alert: end"
_REFUSED_OPTIONS = ("--require-hashes", "--no-index")
_PYTHON = {"python_version": "3.12", "python_full_version": "3.12.0", "sys_platform": "linux"}  # of each MWAA image


class DeployError(AlertError):
    """Nothing was changed, or what was changed has been taken back, unless the message says otherwise."""


@dataclass(frozen=True)
class Member:
    """A file of plugins.zip: its content, and its mode and the like as the zip file has them."""

    content: bytes
    mode: int
    compression: int


def merge_plugins(there: bytes | None, ours: bytes) -> bytes:
    """Return plugins.zip with our members in place of those of an earlier deployment; ``there`` is the present one."""
    theirs, mine = without_ours(there), members(ours)
    if _IGNORED in theirs:
        mine |= {_IGNORED: _with_content(theirs[_IGNORED], theirs[_IGNORED].content + mine[_IGNORED].content)}
    return _packed(theirs | mine)


def remove_from_plugins(there: bytes | None) -> bytes:
    """Return plugins.zip without our members; an empty list of ignored files stays, as MWAA wants some file in it."""
    return _packed(without_ours(there)) if without_ours(there) else pack({_IGNORED: b""})


def members(packed: bytes | None) -> dict[str, Member]:
    """Return the files of a plugins.zip by name. Raises DeployError where it cannot be read."""
    if not packed:
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as plugins:
            return {
                info.filename: Member(plugins.read(info), info.external_attr, info.compress_type)
                for info in plugins.infolist()
                if not info.is_dir()
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DeployError(f"plugins.zip of the environment cannot be read ({error}): mend or remove it") from error


def without_ours(packed: bytes | None) -> dict[str, Member]:
    """Return the files of a plugins.zip by name that are not ours."""
    kept = {name: member for name, member in members(packed).items() if not name.startswith(_OURS)}
    if _IGNORED in kept:
        ours = (ROOT / "plugins" / _IGNORED).read_bytes().splitlines()
        lines = [line for line in kept[_IGNORED].content.splitlines() if line not in ours]
        kept[_IGNORED] = _with_content(kept[_IGNORED], b"".join(line + b"\n" for line in lines))
        if not lines:
            del kept[_IGNORED]
    return kept


def merge_requirements(there: bytes | None, ours: bytes) -> bytes:
    """Return requirements.txt with our lines between two marks.

    Raises DeployError where a line there contradicts one of ours, or would keep pip from installing ours.
    """
    kept = remove_from_requirements(there).decode()
    pins = _pins(ours.decode())
    for line in _logical_lines(kept):
        if line.startswith(_REFUSED_OPTIONS):
            raise DeployError(
                f"requirements.txt of the environment has {line!r}, with which pip would not install ours: "
                "add our lines of the bundle's requirements.txt, with what that asks for, by hand"
            )
        theirs = _requirement(line)
        if theirs is None or (theirs.marker and not theirs.marker.evaluate(_PYTHON)):
            continue
        mine = pins.get(canonicalize_name(theirs.name))
        if mine and (theirs.url or not theirs.specifier.contains(mine.split("==")[1], prereleases=True)):
            raise DeployError(
                f"requirements.txt of the environment has {line!r}, which contradicts {mine!r} of this "
                "package, the version that its Airflow is made for: widen or remove that line"
            )
    return f"{kept}{_BEGIN}\n{ours.decode()}{_END}\n".encode()


def remove_from_requirements(there: bytes | None) -> bytes:
    """Return requirements.txt without what stands between our marks.

    Raises DeployError where somebody has edited there: what is not ours would be lost.
    """
    try:
        text = (there or b"").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DeployError(f"requirements.txt of the environment is not UTF-8 ({error}): write it anew") from error
    if text in [path.read_text() for path in (ROOT / "deploy" / "airflow").glob("*/requirements.txt")]:
        return b""  # put there by hand
    lines = text.splitlines()
    marks = [line for line in lines if line in (_BEGIN, _END)]
    if marks not in ([], [_BEGIN, _END]):
        raise DeployError(f"requirements.txt of the environment has {marks}; valid: {_BEGIN!r}, then {_END!r}, once")
    begin, end = (lines.index(_BEGIN), lines.index(_END)) if marks else (len(lines), len(lines))
    ours = _pins((ROOT / "requirements.txt").read_text())
    for line in lines[begin + 1 : end]:
        theirs = _requirement(line)
        if line.startswith("-") or (theirs and canonicalize_name(theirs.name) not in ours):
            raise DeployError(
                f"requirements.txt of the environment has {line!r} between the marks of this package: "
                f"move it before {_BEGIN!r}, as it would be lost"
            )
    kept = lines[:begin] + lines[end + 1 :]
    if kept and kept[-1].endswith("\\"):
        raise DeployError(f"requirements.txt of the environment ends with {kept[-1]!r}: finish that line")
    return "".join(f"{line}\n" for line in kept).encode()


@dataclass(frozen=True)
class SharedFile:
    """A file of the bundle that others share, and what the environment's settings for it begin with.

    ``merge`` and ``remove`` make the file that is wanted of the one that is there; two are the same where ``parse`` is.
    """

    name: str
    setting: str
    merge: Callable[[bytes | None, bytes], bytes]
    remove: Callable[[bytes | None], bytes]
    parse: Callable[[bytes], Any]


SHARED_FILES = (
    SharedFile("plugins.zip", "Plugins", merge_plugins, remove_from_plugins, members),
    SharedFile("requirements.txt", "Requirements", merge_requirements, remove_from_requirements, bytes),
)


def _requirement(line: str) -> Requirement | None:
    """Return a line's requirement; None for an option, a comment or a blank line."""
    try:
        return Requirement(re.sub(r"(^|\s)#.*|\s--hash=\S+", "", line).strip())
    except InvalidRequirement:
        return None


def _logical_lines(text: str) -> list[str]:
    return [line.strip() for line in text.replace("\\\n", " ").splitlines()]


def _pins(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if "==" in line and not line.startswith("#")]
    return {canonicalize_name(line.split("==")[0]): line for line in lines}


def _with_content(member: Member, content: bytes) -> Member:
    return Member(content, member.mode, member.compression)


def _packed(files: dict[str, Member]) -> bytes:
    def mode(info: zipfile.ZipInfo) -> None:
        member = files[info.filename]
        info.external_attr, info.compress_type = member.mode, member.compression

    return pack({name: member.content for name, member in files.items()}, mode)
