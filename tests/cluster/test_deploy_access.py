"""A fleet with API keys and TLS: installed, checked, asked, behind a canary, with keys and certificates that change."""

import re
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from certificates import Authority, Pair
from serving_fleet import SERVICES, SHORT_S, ServingFleet, serving_fleet

from coachworks.child_server import free_port
from lab import Lab, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]
KEY, NEXT = "k" * 40, "n" * 40
REFRESH_S = 150  # the kubelet reads changed Secrets about once a minute


def names_of(name: str) -> list[str]:
    return [f"{service}.{name}.svc" for service, _ in SERVICES.values()] + [f"{name}.{name}.svc", "localhost"]


def write_secret(fleet: ServingFleet, name: str, **entries: str) -> None:
    metadata = {"name": name, "namespace": fleet.name}
    fleet.lab.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": entries})


def write_certificate(fleet: ServingFleet, name: str, pair: Pair) -> None:
    write_secret(fleet, name, **{"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": pair.authority})


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def fleet(
    lab: Lab,
    session_name: str,
    image: Callable[[str], str],
    authority: Authority,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ServingFleet]:
    """The fleet, installed with a key and a certificate."""
    folder = tmp_path_factory.mktemp("access")
    with serving_fleet(lab, f"{session_name}-access", folder, image("serving")) as fleet:
        write_secret(fleet, "keys", partner=KEY)
        write_certificate(fleet, "certificate", authority.sign(*names_of(fleet.name)))
        (folder / "ca.crt").write_text(authority.pem)
        (folder / "key").write_text(f"{KEY}\n")
        tell(fleet)
        fleet.deploy()
        yield fleet


def tell(fleet: ServingFleet, *, keys: str = "keys", certificate: str = "certificate") -> None:
    values = {"apiKeys": {"existingSecret": keys}, "tls": {"existingSecret": certificate}}
    fleet.tell(values=values, soak_s=SHORT_S)


@contextmanager
def forwarded(fleet: ServingFleet, service: str, port: int) -> Iterator[int]:
    local = free_port()
    command = ["kubectl", "-n", fleet.name, "port-forward", f"service/{service}", f"{local}:{port}"]
    with subprocess.Popen(command, env=fleet.lab.client, stdout=subprocess.DEVNULL) as process:
        try:
            until("the port-forward", lambda: _listens(local), within_s=30)
            yield local
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def predict(fleet: ServingFleet, *options: str) -> "subprocess.CompletedProcess[str]":
    service, port = SERVICES["image-content"]
    with forwarded(fleet, service, port) as local:
        url = f"https://localhost:{local}"
        arguments = ["--url", url, "--ca-file", str(fleet.folder / "ca.crt"), *options]
        return fleet.lab.coachworks("predict", str(fleet.photo), *arguments, cwd=fleet.folder, environ={})


def restarts(fleet: ServingFleet) -> dict[str, int]:
    return {
        pod["metadata"]["name"]: sum(each["restartCount"] for each in pod["status"]["containerStatuses"])
        for pod in fleet.get("pods")
        if pod["metadata"]["name"] in fleet.pods()
    }


def test_it_is_installed_and_its_services_answer_by_their_names(fleet: ServingFleet) -> None:
    output = fleet.lab.call("helm", "test", fleet.name, "-n", fleet.name, "--logs")
    assert re.search(rf"https://image-content\.{fleet.name}\.svc:8080 serves image-content 1", output)
    assert re.search(rf"https://ai-image-quality\.{fleet.name}\.svc:9722 serves image-quality 1", output)


def test_a_photo_is_answered_with_the_key_and_refused_without(fleet: ServingFleet) -> None:
    done = predict(fleet, "--api-key-file", str(fleet.folder / "key"))
    assert done.returncode == 0, done.stderr
    assert "image-content" in done.stdout
    done = predict(fleet)
    assert done.returncode == 1
    assert "answered 401: the request must carry an API key; it has none." in " ".join(done.stderr.split())


def test_a_canary_is_tested_and_watched_with_the_key(fleet: ServingFleet) -> None:
    done = fleet.deploy("--version", "image-quality=2")
    assert done.versions == {"image-content": "1", "image-quality": "2"}
    assert [stage["name"] for stage in done.report["stages"]].count("soak") == 1


def test_a_certificate_without_the_name_of_a_service_is_not_deployed(fleet: ServingFleet, authority: Authority) -> None:
    write_certificate(fleet, "nameless", authority.sign(f"image-content.{fleet.name}.svc"))
    tell(fleet, certificate="nameless")
    done = fleet.deploy("--version", "image-quality=2", expect=1)
    assert "must be valid for ai-image-quality" in done.output
    assert "The earlier versions serve again" in done.output
    tell(fleet)


def test_a_secret_without_the_private_key_is_named(fleet: ServingFleet, authority: Authority) -> None:
    write_secret(fleet, "keyless", **{"tls.crt": authority.sign("localhost").certificate})
    tell(fleet, certificate="keyless")
    done = fleet.deploy("--version", "image-quality=2", "--timeout-s", "90", expect=1)
    assert "tls.key" in done.output
    assert "The earlier versions serve again" in done.output
    tell(fleet)


def test_keys_and_certificates_change_without_a_restart(fleet: ServingFleet, authority: Authority) -> None:
    before, serial = restarts(fleet), _certificate(fleet)
    write_secret(fleet, "keys", partner=KEY, following=NEXT)
    write_certificate(fleet, "certificate", authority.sign(*names_of(fleet.name)))
    (fleet.folder / "next").write_text(NEXT)
    until(
        "the new key",
        lambda: predict(fleet, "--api-key-file", str(fleet.folder / "next")).returncode == 0,
        within_s=REFRESH_S,
        every_s=5,
    )
    until("the new certificate", lambda: _certificate(fleet) != serial, within_s=REFRESH_S, every_s=5)
    assert restarts(fleet) == before


def _certificate(fleet: ServingFleet) -> Any:
    service, port = SERVICES["image-content"]
    with forwarded(fleet, service, port) as local:
        return ssl.get_server_certificate(("127.0.0.1", local))
