from __future__ import annotations

import datetime
import functools
import http.server
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.uv_like_pip import uv_environment
from tests.conftest import ROOT
from tests.sandbox.wheels import make_wheel


def with_file(machine: dict[str, str], tmp_path: Path, content: str) -> dict[str, str]:
    (tmp_path / "pip.conf").write_text(content)
    return machine | {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}


@pytest.mark.parametrize(
    ("variables", "for_uv"),
    [
        ({"PIP_CERT": "/ca.pem"}, {"SSL_CERT_FILE": "/ca.pem"}),
        ({"PIP_CERT": "/"}, {"SSL_CERT_DIR": "/"}),
        ({"REQUESTS_CA_BUNDLE": "/ca.pem"}, {"SSL_CERT_FILE": "/ca.pem"}),
        ({"PIP_CERT": "/pip.pem", "REQUESTS_CA_BUNDLE": "/ca.pem"}, {"SSL_CERT_FILE": "/pip.pem"}),
        ({"PIP_CERT": "/pip.pem", "SSL_CERT_FILE": "/ca.pem"}, {"SSL_CERT_FILE": "/pip.pem"}),
        ({}, {"UV_SYSTEM_CERTS": "true"}),
        ({"PIP_INDEX_URL": "https://pip.test/simple"}, {"UV_INDEX_URL": "https://pip.test/simple"}),
        ({"PIP_INDEX_URL": "https://pip.test", "UV_INDEX_URL": "https://uv.test"}, {"UV_INDEX_URL": "https://uv.test"}),
        (
            {"PIP_EXTRA_INDEX_URL": "https://a.test https://b.test"},
            {"UV_EXTRA_INDEX_URL": "https://a.test https://b.test", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        ({"PIP_TRUSTED_HOST": "a.test b.test:8443"}, {"UV_INSECURE_HOST": "a.test b.test:8443"}),
        ({"PIP_FIND_LINKS": "/a /b"}, {"UV_FIND_LINKS": "/a,/b"}),
        ({"PIP_PROXY": "http://p.test:1", "HTTPS_PROXY": "http://q.test"}, {"HTTPS_PROXY": "http://p.test:1"}),
    ],
    ids=lambda value: " ".join(value) or "nothing set",
)
def test_a_variable_of_pip_is_passed_on(
    machine: dict[str, str], variables: dict[str, str], for_uv: dict[str, str]
) -> None:
    env = uv_environment(machine | variables)
    assert {name: env.get(name) for name in for_uv} == for_uv


def test_pips_file_is_read_with_lists_over_several_lines(machine: dict[str, str], tmp_path: Path) -> None:
    content = "[global]\ncert = /ca.pem\nextra-index-url =\n    https://a.test\n    https://b.test\n"
    env = uv_environment(with_file(machine, tmp_path, content))
    assert (env["SSL_CERT_FILE"], env["UV_EXTRA_INDEX_URL"]) == ("/ca.pem", "https://a.test https://b.test")


def test_the_section_of_pip_install_counts_more_than_the_global_one(machine: dict[str, str], tmp_path: Path) -> None:
    content = "[install]\nindex-url = https://install.test\n[global]\nindex-url = https://global.test\n"
    assert uv_environment(with_file(machine, tmp_path, content))["UV_INDEX_URL"] == "https://install.test"


def test_a_variable_counts_more_than_the_file(machine: dict[str, str], tmp_path: Path) -> None:
    env = with_file(machine, tmp_path, "[global]\ncert = /file.pem\n") | {"PIP_CERT": "/variable.pem"}
    assert uv_environment(env)["SSL_CERT_FILE"] == "/variable.pem"


def test_an_empty_variable_leaves_the_file_in_force(machine: dict[str, str], tmp_path: Path) -> None:
    env = with_file(machine, tmp_path, "[global]\ncert = /file.pem\n") | {"PIP_CERT": ""}
    assert uv_environment(env)["SSL_CERT_FILE"] == "/file.pem"


@dataclass(frozen=True)
class Index:
    """A company's package index over HTTPS, with a certificate that no public authority has signed."""

    url: str
    certificate: Path


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    folder = tmp_path_factory.mktemp("index")
    package = folder / "simple" / "in-house"
    package.mkdir(parents=True)
    (package / "index.html").write_text('<a href="in_house-1.0-py3-none-any.whl">in_house-1.0-py3-none-any.whl</a>')
    make_wheel(package, "in-house")
    certificate = folder / "company.pem"
    certificate.write_bytes(self_signed())
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Index(f"https://127.0.0.1:{server.server_port}/simple", certificate)
        server.shutdown()


def self_signed() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "company")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = builder.add_extension(here, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def resolve(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Have uv look up the package in-house."""
    command = [sys.executable, "-m", "sandbox.uv_like_pip", "pip", "compile", "--no-header", "--no-annotate", "-"]
    return subprocess.run(
        command, cwd=ROOT, env=env | {"NO_PROXY": "127.0.0.1"}, input="in-house", capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_uv_trusts_the_authority_that_pips_file_names(machine: dict[str, str], tmp_path: Path, index: Index) -> None:
    done = resolve(with_file(machine, tmp_path, f"[global]\nindex-url = {index.url}\ncert = {index.certificate}\n"))
    assert "in-house==1.0" in done.stdout, done.stderr


def test_uv_takes_a_trusted_host_as_it_is(machine: dict[str, str], tmp_path: Path, index: Index) -> None:
    done = resolve(with_file(machine, tmp_path, f"[global]\nindex-url = {index.url}\ntrusted-host = 127.0.0.1\n"))
    assert "in-house==1.0" in done.stdout, done.stderr


def test_uv_refuses_a_certificate_that_nothing_vouches_for(
    machine: dict[str, str], tmp_path: Path, index: Index
) -> None:
    done = resolve(with_file(machine, tmp_path, f"[global]\nindex-url = {index.url}\n"))
    assert "invalid peer certificate" in done.stderr


def test_a_file_that_pip_cannot_read_stops_with_pips_own_message(machine: dict[str, str], tmp_path: Path) -> None:
    done = resolve(with_file(machine, tmp_path, "index-url\n"))
    assert done.returncode
    assert "pip.conf" in done.stderr
    assert "Traceback" not in done.stderr
