"""S3 API with permissions on this machine, for tests: moto's server."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import requests
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

REGION = "us-east-1"
# moto allows everything until the number of unauthenticated requests is set.
_ANYBODY = "inf"


@dataclass(frozen=True)
class Keys:
    access: str
    secret: str


@dataclass(frozen=True)
class ObjectStore:
    """`endpoint` is host:port."""

    endpoint: str
    scheme: str = "http"

    def make_bucket(self, name: str) -> None:
        self._client("s3").create_bucket(Bucket=name)

    def objects(self, bucket: str) -> dict[str, int]:
        """Return the size of each object by name."""
        pages = self._client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {found["Key"]: found["Size"] for page in pages for found in page.get("Contents", [])}

    def read(self, bucket: str, name: str) -> bytes:
        content: bytes = self._client("s3").get_object(Bucket=bucket, Key=name)["Body"].read()
        return content

    def user(self, name: str, *actions: str) -> Keys:
        """Create a user with only these permissions, such as `s3:GetObject`; return the keys."""
        iam = self._client("iam")
        iam.create_user(UserName=name)
        policy = {"Version": "2012-10-17", "Statement": []}
        if actions:
            policy["Statement"] = [{"Effect": "Allow", "Action": [*actions], "Resource": "*"}]
            iam.put_user_policy(
                UserName=name, PolicyName="tests", PolicyDocument=json.dumps(policy)
            )
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return Keys(made["AccessKeyId"], made["SecretAccessKey"])

    @contextlib.contextmanager
    def asking_for_keys(self) -> Iterator[None]:
        self._ask_for_keys_after("0")
        try:
            yield
        finally:
            self._ask_for_keys_after(_ANYBODY)

    def _ask_for_keys_after(self, requests_made: str) -> None:
        url = f"{self.scheme}://{self.endpoint}/moto-api/reset-auth"
        requests.post(url, data=requests_made, timeout=10).raise_for_status()

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"{self.scheme}://{self.endpoint}",
            region_name=REGION,
            aws_access_key_id="tests",
            aws_secret_access_key="tests",
        )


@contextlib.contextmanager
def serving(address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[ObjectStore]:
    """Start a server at a free port; all servers of this process share their buckets."""
    server = make_server(
        address, 0, DomainDispatcherApplication(create_backend_app), True, ssl_context=tls
    )
    with in_background(server):
        yield ObjectStore(f"{address}:{server.server_port}", "https" if tls else "http")


@contextlib.contextmanager
def in_background(server: BaseWSGIServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
