"""Probe of a bucket: list it, then write, read and delete an object."""

from __future__ import annotations

import io
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import certifi
import urllib3
from minio import Minio
from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3 import exceptions as http

CONNECT_SECONDS = 5
ANSWER_SECONDS = 15
# A constant name, so that the next probe deletes the object of a killed one.
OBJECT = "vitalstream-write-test"
CONTENT = b"Written by a preview, to see whether it can be.\n"
# Thanos' own default where neither the store's name nor the settings say one.
DEFAULT_REGION = "us-east-1"
_AWS = ".amazonaws.com"
_WRONG_REGION = ("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraint")


class BucketError(Exception):
    """User-facing error, printed verbatim."""


class UnreachableError(BucketError):
    """Raised when the store does not answer, perhaps only from this machine."""


@dataclass(frozen=True)
class Bucket:
    """Bucket as the settings name it; `ca` is PEM, or empty for public authorities."""

    stack: str
    endpoint: str
    bucket: str
    region: str
    prefix: str
    insecure: bool
    ca: str
    access_key: str
    secret_key: str

    @classmethod
    def of(cls, props: Mapping[str, Any]) -> Bucket:
        return cls(**{name: props[name] for name in cls.__dataclass_fields__})

    @property
    def object_name(self) -> str:
        return f"{self.prefix}/{OBJECT}" if self.prefix else OBJECT


def attempt(bucket: Bucket) -> None:
    """Probe the bucket.

    Raises BucketError with what is wrong, where it is set and how to fix it.
    """
    name, key = bucket.bucket, bucket.object_name
    with _client(bucket) as client:
        with _in_words(bucket, "list it", "s3:ListBucket"):
            next(iter(client.list_objects(name, prefix=key)), None)
        with _in_words(bucket, "write into it", "s3:PutObject"):
            client.put_object(name, key, io.BytesIO(CONTENT), len(CONTENT))
        with (
            _in_words(bucket, "read from it", "s3:GetObject"),
            closing(client.get_object(name, key)) as answer,
        ):
            found = answer.read()
        with _in_words(bucket, "delete from it", "s3:DeleteObject"):
            client.remove_object(name, key)
    if found != CONTENT:
        raise BucketError(
            f"{_named(bucket)} returns other data than what was written to it: the server "
            "there is not an object storage."
        )


@contextmanager
def _client(bucket: Bucket) -> Iterator[Minio]:
    authorities = None if bucket.ca else certifi.where()
    context = ssl.create_default_context(cafile=authorities, cadata=bucket.ca or None)
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS),
        # Report a fault at once instead of retrying.
        retries=False,
        ssl_context=None if bucket.insecure else context,
    )
    known = bucket.endpoint.partition(":")[0].endswith(_AWS)
    try:
        yield Minio(
            bucket.endpoint,
            access_key=bucket.access_key,
            secret_key=bucket.secret_key,
            secure=not bucket.insecure,
            # Without a region the client asks the store, a permission that Thanos does not need.
            region=bucket.region or (None if known else DEFAULT_REGION),
            http_client=pool,
        )
    finally:
        pool.clear()


@contextmanager
def _in_words(bucket: Bucket, what: str, right: str) -> Iterator[None]:
    try:
        yield
    except S3Error as error:
        raise BucketError(_refusal(bucket, error, what, right)) from None
    except (InvalidResponseError, ServerError, ValueError) as error:
        raise BucketError(
            f"The server at {bucket.endpoint} (vitalstream:thanos.endpoint) is not an object "
            f"storage that speaks S3 ({_first_line(error)}): "
            f"{_set(bucket, 'endpoint', 'HOST:PORT')}."
            f"{_perhaps_tls(bucket)}"
        ) from None
    except http.SSLError as error:
        raise BucketError(_tls_words(bucket, error)) from None
    except http.HTTPError as error:
        raise UnreachableError(
            f"The object storage at {bucket.endpoint} (vitalstream:thanos.endpoint) cannot be "
            f"reached: {_reason(error)}. Start it, or {_set(bucket, 'endpoint', 'HOST:PORT')}."
            f"{_perhaps_tls(bucket) if isinstance(error, http.ProtocolError) else ''}"
        ) from None


def _refusal(bucket: Bucket, error: S3Error, what: str, right: str) -> str:
    stack, place, code = bucket.stack, _named(bucket), str(error.code)
    if code == "NoSuchBucket":
        return (
            f"There is no bucket {bucket.bucket} (vitalstream:thanos.bucket) at {bucket.endpoint}: "
            f"make it there, or {_set(bucket, 'bucket', 'NAME')}."
        )
    if code == "InvalidAccessKeyId":
        return (
            f"{place} does not know the access key (vitalstream:thanosAccessKey): "
            f"`pulumi config set --secret thanosAccessKey --stack {stack}`."
        )
    if code == "SignatureDoesNotMatch":
        return (
            f"{place} refuses the secret key (vitalstream:thanosSecretKey), which is not that of "
            f"the access key: `pulumi config set --secret thanosSecretKey --stack {stack}`."
        )
    if code == "AccessDenied":
        return (
            f"{place} does not let the key vitalstream:thanosAccessKey {what}: give it the right "
            f"{right} there, or set another: `pulumi config set --secret thanosAccessKey --stack "
            f"{stack}`, and thanosSecretKey with it."
        )
    if code in _WRONG_REGION:
        return (
            f"{place} is in another region than vitalstream:thanos.region says "
            f"({bucket.region or DEFAULT_REGION}): {error.message} "
            f"{_set(bucket, 'region', 'REGION')}."
        )
    return f"{place} (vitalstream:thanos) does not let us {what}: {code}: {error.message}"


def _tls_words(bucket: Bucket, error: http.SSLError) -> str:
    said = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in said:
        whose = "vitalstream:thanos.ca" if bucket.ca else "any public authority"
        return (
            f"The object storage at {bucket.endpoint} shows a certificate that is not of {whose}, "
            f"or not for that name: `pulumi config set --path thanos.ca --stack {bucket.stack} < "
            "ca.pem` with the authority that signed it."
        )
    return (
        f"The object storage at {bucket.endpoint} (vitalstream:thanos.endpoint) does not speak TLS "
        f"({_first_line(error)}): `pulumi config set --path thanos.insecure true --stack "
        f"{bucket.stack}` where clear text will do, or another port in thanos.endpoint."
    )


def _reason(error: http.HTTPError) -> str:
    if isinstance(error, http.NameResolutionError):
        return "its name is not known"
    # urllib3 reports a refused connection as a timeout as well.
    if isinstance(error, http.TimeoutError) and not isinstance(error, http.NewConnectionError):
        return f"no answer within {ANSWER_SECONDS} s"
    cause = error.__cause__ or error.__context__
    return (cause.strerror if isinstance(cause, OSError) else None) or _first_line(error)


def _perhaps_tls(bucket: Bucket) -> str:
    """Return a hint for plain HTTP, since a TLS port closes the connection or sends a page."""
    if not bucket.insecure:
        return ""
    return f" If it speaks TLS: `pulumi config rm --path thanos.insecure --stack {bucket.stack}`."


def _named(bucket: Bucket) -> str:
    return f"The bucket {bucket.bucket} at {bucket.endpoint}"


def _set(bucket: Bucket, name: str, value: str) -> str:
    return f"`pulumi config set --path thanos.{name} {value} --stack {bucket.stack}`"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
