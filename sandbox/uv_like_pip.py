"""``python -m sandbox.uv_like_pip ARGUMENTS``: run uv with the certificates, indexes and proxy that pip is set up with.

A company's machine is set up for pip, by variables such as PIP_CERT and by pip.conf, and uv reads neither. What is set
for uv itself stays in force. Needs nothing but pip, as it installs all the rest.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

UV_NAMES = {
    "index-url": "UV_INDEX_URL",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "trusted-host": "UV_INSECURE_HOST",
    "find-links": "UV_FIND_LINKS",
    "client-cert": "SSL_CLIENT_CERT",
}
SECTIONS = ("global", "install", ":env:")  # what "pip install" reads; the later one counts


def pip_settings(env: Mapping[str, str]) -> dict[str, str]:
    """Return what ``pip install`` would go by, from the variables and from pip's files."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=False)
    if listing.returncode:
        sys.exit(listing.returncode)  # pip has said which of its files it cannot read
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listing.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in found and (text := str(ast.literal_eval(value))):
            found[section][key] = text
    return {key: value for section in SECTIONS for key, value in found[section].items()}


def uv_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return ``env`` with what makes uv do as pip does."""
    pip = pip_settings(env)
    for_uv = {uv_name: " ".join(pip[name].split()) for name, uv_name in UV_NAMES.items() if name in pip}
    if "find-links" in pip:
        for_uv["UV_FIND_LINKS"] = for_uv["UV_FIND_LINKS"].replace(" ", ",")
    if "extra-index-url" in pip:
        for_uv["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip looks in all indexes, uv in the first that has the name
    proxy = {"HTTP_PROXY": pip["proxy"], "HTTPS_PROXY": pip["proxy"]} if "proxy" in pip else {}
    return {**for_uv, **env, **proxy, **_certificates(pip, env)}


def _certificates(pip: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """Return where the authorities' certificates are: those that pip trusts, else the system's."""
    named = pip.get("cert") or env.get("REQUESTS_CA_BUNDLE") or env.get("CURL_CA_BUNDLE")
    if not named:
        return {} if "SSL_CERT_FILE" in env else {"UV_SYSTEM_CERTS": "true"}
    path = Path(named).expanduser()
    return {"SSL_CERT_DIR" if path.is_dir() else "SSL_CERT_FILE": str(path)}


if __name__ == "__main__":
    uv = Path(sys.executable).parent / "uv"
    os.execve(uv, [str(uv), *sys.argv[1:]], uv_environment(os.environ))
