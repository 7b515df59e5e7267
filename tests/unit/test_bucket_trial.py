"""What a preview says of an object storage, asked of a real one and of what is none."""

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


def test_a_bucket_that_can_be_written_is_taken(props: Props) -> None:
    assert refusal(props()) == ""


def test_nothing_is_left_in_the_bucket(props: Props, store: ObjectStore) -> None:
    refusal(props())
    assert store.objects(BUCKET) == {}


def test_it_is_tried_below_the_prefix(
    props: Props, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minio.Minio.remove_object", lambda *_: None)
    refusal(props(prefix="monitoring/prod"))
    monkeypatch.undo()
    assert set(store.objects(BUCKET)) == {"monitoring/prod/vitalstream-write-test"}
    refusal(props(prefix="monitoring/prod"))
    assert store.objects(BUCKET) == {}


def test_a_bucket_that_is_not_there_is_named_with_the_way_out(props: Props) -> None:
    words = refusal(props(bucket="nowhere"))
    assert words.startswith("There is no bucket nowhere (vitalstream:thanos.bucket) at 127.0.0.1:")
    assert "`pulumi config set --path thanos.bucket NAME --stack prod`" in words


def test_a_store_that_nobody_answers_for_is_told_by_its_setting(props: Props) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{unused.getsockname()[1]}"
    words = refusal(props(endpoint=endpoint))
    assert f"at {endpoint} (vitalstream:thanos.endpoint) cannot be reached: " in words
    assert "Connection refused" in words
    assert "`pulumi config set --path thanos.endpoint HOST:PORT --stack prod`" in words


def test_a_store_whose_name_is_unknown_is_told_so(props: Props) -> None:
    assert "cannot be reached: its name is not known." in refusal(props(endpoint="s3.invalid:9000"))


def test_a_store_that_says_nothing_is_not_waited_for(
    props: Props, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_probe, "ANSWER_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        words = refusal(props(endpoint=f"127.0.0.1:{silent.getsockname()[1]}"))
    assert "cannot be reached: no answer" in words


def test_what_another_docker_host_may_reach_is_not_judged_from_here(props: Props) -> None:
    remote = props(endpoint="s3.invalid:9000", docker_host="ssh://monitoring.example.com")
    assert refusal(remote) == ""


def test_keys_are_judged_also_for_another_docker_host(props: Props, store: ObjectStore) -> None:
    with store.asking_for_keys():
        assert "access key" in refusal(props(docker_host="ssh://monitoring.example.com"))


def test_an_unknown_access_key_is_told_by_its_setting(props: Props, store: ObjectStore) -> None:
    with store.asking_for_keys():
        words = refusal(props())
    assert "does not know the access key (vitalstream:thanosAccessKey)" in words
    assert "`pulumi config set --secret thanosAccessKey --stack prod`" in words


def test_a_wrong_secret_key_is_told_by_its_setting(props: Props, store: ObjectStore) -> None:
    keys = store.user("mistyped", *EVERYTHING)
    with store.asking_for_keys():
        words = refusal(props(access_key=keys.access))
    assert "refuses the secret key (vitalstream:thanosSecretKey)" in words
    assert SECRET not in words


def test_a_user_with_the_four_rights_is_enough(props: Props, store: ObjectStore) -> None:
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
def test_a_right_that_is_missing_is_named(
    missing: str, deed: str, props: Props, store: ObjectStore
) -> None:
    rights = [right for right in EVERYTHING if right != missing]
    keys = store.user(f"without-{missing.partition(':')[2]}", *rights)
    with store.asking_for_keys():
        words = refusal(props(access_key=keys.access, secret_key=keys.secret))
    assert f"does not let the key vitalstream:thanosAccessKey {deed}" in words
    assert f"give it the right {missing} there" in words


def test_clear_text_at_a_port_for_tls_is_told_with_the_way_out(props: Props) -> None:
    words = refusal(props(insecure=False))
    assert "does not speak TLS" in words
    assert "`pulumi config set --path thanos.insecure true --stack prod`" in words


@pytest.fixture(scope="module")
def over_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Where a store speaks TLS, and the authority of its certificate."""
    folder: Path = tmp_path_factory.mktemp("tls")
    made = issued(["127.0.0.1"])
    (folder / "certificate.pem").write_text(made["tlsCertificate"])
    (folder / "key.pem").write_text(made["tlsKey"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    with object_store.serving(tls=context) as found:
        yield found.endpoint, made["tlsCa"]


def test_a_private_authority_is_trusted_where_it_is_set(
    props: Props, over_tls: tuple[str, str], store: ObjectStore
) -> None:
    endpoint, ca = over_tls
    assert refusal(props(endpoint=endpoint, insecure=False, ca=ca)) == ""


@pytest.mark.parametrize("ca", ["", issued(["127.0.0.1"])["tlsCa"]], ids=["public", "another"])
def test_a_certificate_of_somebody_else_is_told_with_the_way_out(
    ca: str, props: Props, over_tls: tuple[str, str]
) -> None:
    words = refusal(props(endpoint=over_tls[0], insecure=False, ca=ca))
    assert "shows a certificate that is not of" in words
    assert "`pulumi config set --path thanos.ca --stack prod < ca.pem`" in words


@pytest.fixture
def page() -> Iterator[str]:
    """Where somebody answers every request with a page."""

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
            """Nothing: pytest would show it."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_what_is_no_object_storage_is_told_so(props: Props, page: str) -> None:
    assert "is not an object storage" in refusal(props(endpoint=page))


def test_a_store_speaking_tls_where_clear_text_is_set_is_no_riddle(
    props: Props, over_tls: tuple[str, str]
) -> None:
    assert "thanos.insecure" in refusal(props(endpoint=over_tls[0], insecure=True))


def test_what_stays_as_it_was_is_not_tried_again(
    props: Props, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_check_provider, "attempt", lambda _bucket: pytest.fail("tried"))
    assert refusal(props(), olds=props()) == ""


@pytest.mark.parametrize("change", [{"image": "thanos:2"}, {"bucket": "nowhere"}, {"stack": "x"}])
def test_what_changes_is_tried(
    change: dict[str, str], props: Props, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Any] = []
    monkeypatch.setattr(bucket_check_provider, "attempt", tried.append)
    refusal(props(**change), olds=props())
    assert len(tried) == 1


def test_no_refusal_has_a_secret_in_it(props: Props, store: ObjectStore) -> None:
    cases = [{"bucket": "nowhere"}, {"endpoint": "s3.invalid:1"}, {"insecure": False}]
    with store.asking_for_keys():
        said = [refusal(props(**case)) for case in cases]
    assert all(said)
    assert [words for words in said if SECRET in words] == []
    assert json.dumps(said)
