"""Preview checks of the object storage, against a real S3 API and against other servers."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from components.thanos import bucket_check_provider, bucket_probe
from components.thanos.bucket_check_provider import BucketCheckProvider
from tests import object_store
from tests.issued import issued
from tests.object_store import ObjectStore

BUCKET = "vitalstream-blocks"
SECRET = "secret-key-of-the-tests"
EVERYTHING = ("s3:ListBucket", "s3:PutObject", "s3:GetObject", "s3:DeleteObject")
Props = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with object_store.serving() as found:
        found.make_bucket(BUCKET)
        yield found


@pytest.fixture
def props(store: ObjectStore) -> Props:
    def made(**changes: Any) -> dict[str, Any]:
        return {
            "docker_host": "unix:///var/run/docker.sock",
            "stack": "prod",
            "endpoint": store.endpoint,
            "bucket": BUCKET,
            "region": "",
            "prefix": "",
            "insecure": True,
            "ca": "",
            "access_key": "access-key",
            "secret_key": SECRET,
            "image": "thanos:1",
            **changes,
        }

    return made


def refusal(props: dict[str, Any], olds: dict[str, Any] | None = None) -> str:
    failures = BucketCheckProvider().check(olds or {}, props).failures
    return "\n".join(failure.reason for failure in failures)


def test_bucket_with_write_access_is_accepted(props: Props) -> None:
    assert refusal(props()) == ""


def test_bucket_probe_leaves_no_object(props: Props, store: ObjectStore) -> None:
    refusal(props())
    assert store.objects(BUCKET) == {}


def test_bucket_probe_uses_the_prefix(
    props: Props, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minio.Minio.remove_object", lambda *_: None)
    refusal(props(prefix="monitoring/prod"))
    monkeypatch.undo()
    assert set(store.objects(BUCKET)) == {"monitoring/prod/vitalstream-write-test"}
    refusal(props(prefix="monitoring/prod"))
    assert store.objects(BUCKET) == {}


def test_missing_bucket_is_reported_with_fix(props: Props) -> None:
    words = refusal(props(bucket="nowhere"))
    assert words.startswith("There is no bucket nowhere (vitalstream:thanos.bucket) at 127.0.0.1:")
    assert "`pulumi config set --path thanos.bucket NAME --stack prod`" in words


def test_unreachable_store_is_reported_with_its_setting(props: Props) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{unused.getsockname()[1]}"
    words = refusal(props(endpoint=endpoint))
    assert f"at {endpoint} (vitalstream:thanos.endpoint) cannot be reached: " in words
    assert "Connection refused" in words
    assert "`pulumi config set --path thanos.endpoint HOST:PORT --stack prod`" in words


def test_unresolvable_store_name_is_reported(props: Props) -> None:
    assert "cannot be reached: its name is not known." in refusal(props(endpoint="s3.invalid:9000"))


def test_silent_store_times_out(props: Props, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_probe, "ANSWER_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        words = refusal(props(endpoint=f"127.0.0.1:{silent.getsockname()[1]}"))
    assert "cannot be reached: no answer" in words


def test_unreachable_store_with_remote_docker_host_is_accepted(props: Props) -> None:
    remote = props(endpoint="s3.invalid:9000", docker_host="ssh://monitoring.example.com")
    assert refusal(remote) == ""


def test_wrong_keys_with_remote_docker_host_are_refused(props: Props, store: ObjectStore) -> None:
    with store.asking_for_keys():
        assert "access key" in refusal(props(docker_host="ssh://monitoring.example.com"))


def test_unknown_access_key_is_reported_with_its_setting(props: Props, store: ObjectStore) -> None:
    with store.asking_for_keys():
        words = refusal(props())
    assert "does not know the access key (vitalstream:thanosAccessKey)" in words
    assert "`pulumi config set --secret thanosAccessKey --stack prod`" in words


def test_wrong_secret_key_is_reported_with_its_setting(props: Props, store: ObjectStore) -> None:
    keys = store.user("mistyped", *EVERYTHING)
    with store.asking_for_keys():
        words = refusal(props(access_key=keys.access))
    assert "refuses the secret key (vitalstream:thanosSecretKey)" in words
    assert SECRET not in words


def test_user_with_four_permissions_is_accepted(props: Props, store: ObjectStore) -> None:
    keys = store.user("thanos", *EVERYTHING)
    with store.asking_for_keys():
        assert refusal(props(access_key=keys.access, secret_key=keys.secret)) == ""


@pytest.mark.parametrize(
    ("missing", "deed"),
    [
        ("s3:ListBucket", "list it"),
        ("s3:PutObject", "write into it"),
        ("s3:GetObject", "read from it"),
        ("s3:DeleteObject", "delete from it"),
    ],
)
def test_missing_permission_is_reported(
    missing: str, deed: str, props: Props, store: ObjectStore
) -> None:
    rights = [right for right in EVERYTHING if right != missing]
    keys = store.user(f"without-{missing.partition(':')[2]}", *rights)
    with store.asking_for_keys():
        words = refusal(props(access_key=keys.access, secret_key=keys.secret))
    assert f"does not let the key vitalstream:thanosAccessKey {deed}" in words
    assert f"give it the right {missing} there" in words


def test_clear_text_to_tls_port_is_reported_with_fix(props: Props) -> None:
    words = refusal(props(insecure=False))
    assert "does not speak TLS" in words
    assert "`pulumi config set --path thanos.insecure true --stack prod`" in words


@pytest.fixture(scope="module")
def over_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address of a store with TLS, and the authority of its certificate."""
    folder: Path = tmp_path_factory.mktemp("tls")
    made = issued(["127.0.0.1"])
    (folder / "certificate.pem").write_text(made["tlsCertificate"])
    (folder / "key.pem").write_text(made["tlsKey"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    with object_store.serving(tls=context) as found:
        yield found.endpoint, made["tlsCa"]


def test_private_authority_in_settings_is_trusted(
    props: Props, over_tls: tuple[str, str], store: ObjectStore
) -> None:
    endpoint, ca = over_tls
    assert refusal(props(endpoint=endpoint, insecure=False, ca=ca)) == ""


@pytest.mark.parametrize("ca", ["", issued(["127.0.0.1"])["tlsCa"]], ids=["public", "another"])
def test_untrusted_certificate_is_reported_with_fix(
    ca: str, props: Props, over_tls: tuple[str, str]
) -> None:
    words = refusal(props(endpoint=over_tls[0], insecure=False, ca=ca))
    assert "shows a certificate that is not of" in words
    assert "`pulumi config set --path thanos.ca --stack prod < ca.pem`" in words


@pytest.fixture
def page() -> Iterator[str]:
    """Address of a server that answers every request with a web page."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<html>It works!</html>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PUT = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing: pytest would show it."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_web_server_instead_of_store_is_reported(props: Props, page: str) -> None:
    assert "is not an object storage" in refusal(props(endpoint=page))


def test_tls_store_with_insecure_setting_is_reported(
    props: Props, over_tls: tuple[str, str]
) -> None:
    assert "thanos.insecure" in refusal(props(endpoint=over_tls[0], insecure=True))


def test_unchanged_bucket_is_not_probed(props: Props, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_check_provider, "attempt", lambda _bucket: pytest.fail("tried"))
    assert refusal(props(), olds=props()) == ""


@pytest.mark.parametrize("change", [{"image": "thanos:2"}, {"bucket": "nowhere"}, {"stack": "x"}])
def test_changed_bucket_is_probed(
    change: dict[str, str], props: Props, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Any] = []
    monkeypatch.setattr(bucket_check_provider, "attempt", tried.append)
    refusal(props(**change), olds=props())
    assert len(tried) == 1


def test_refusals_contain_no_secret(props: Props, store: ObjectStore) -> None:
    cases = [{"bucket": "nowhere"}, {"endpoint": "s3.invalid:1"}, {"insecure": False}]
    with store.asking_for_keys():
        said = [refusal(props(**case)) for case in cases]
    assert all(said)
    assert [words for words in said if SECRET in words] == []
    assert json.dumps(said)
