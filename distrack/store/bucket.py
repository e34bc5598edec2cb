"""An S3 bucket as a store: Amazon's, or one of MinIO, Ceph, R2 and others that speak its protocol."""

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from distrack.errors import StoreError
from distrack.files import write_atomically
from distrack.progress import Progress
from distrack.settings import settings
from distrack.store.contract import BrokenConnectionError, ChangedError, Store

# Larger files are sent in parts of at least so many bytes, of which S3 takes 10,000.
_PART, _MOST_PARTS = 8 * 2**20, 10_000
_BLOCK = 2**18
# Connections at once; threads that want more wait.
_CONNECTIONS = 64
_CONNECT_TIMEOUT, _READ_TIMEOUT = 5, 20
# What to do about an answer, by its code.
_ANSWERS = {
    "NoSuchBucket": "there is no such bucket: check its name, and AWS_ENDPOINT_URL if it is not Amazon's",
    "InvalidAccessKeyId": "the access key is unknown there: check AWS_ACCESS_KEY_ID, and AWS_ENDPOINT_URL",
    "SignatureDoesNotMatch": "the secret key does not fit the access key: check AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": "the session has expired: sign in again",
    "AccessDenied": "these keys may not do this: ask the owner of the bucket, or use other keys",
    "403": "these keys may not do this, or there is no such bucket: check its name and the keys",
    "RequestTimeTooSkewed": "the clock of this computer is off by minutes: set it",
    "AccessControlListNotSupported": "the bucket has no public files of its own: leave --public out",
    "PermanentRedirect": "the bucket is in another region: set AWS_DEFAULT_REGION",
    "AuthorizationHeaderMalformed": "the bucket is in another region: set AWS_DEFAULT_REGION",
    "SlowDown": "the service is busy: try again later",
}
_FULL = ("QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage", "507")
_ABSENT = ("NoSuchKey", "404", "NotFound")


class BucketStore(Store):
    """Contents as objects of a bucket, below a prefix.

    Keys and region are those of AWS's own variables and files; `AWS_ENDPOINT_URL` names another service. Without keys
    it reads as anybody may, and does not write.

    Raises:
        StoreError: boto3 is not installed, or the address is impossible.
    """

    def __init__(self, bucket: str, prefix: str = "") -> None:
        try:
            import boto3
            from botocore import UNSIGNED
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
        except ImportError:
            raise StoreError(
                "a bucket needs boto3, which is not installed", remedy="pip install 'distrack[s3]'"
            ) from None
        self.bucket, self._below = bucket, f"{prefix}/" if prefix else ""
        self.where = f"s3://{bucket}/{prefix}".rstrip("/")
        try:
            session = boto3.session.Session()
            self._signs = session.get_credentials() is not None
            config = Config(
                connect_timeout=_CONNECT_TIMEOUT,
                read_timeout=_READ_TIMEOUT,
                max_pool_connections=_CONNECTIONS,
                retries={"max_attempts": 3, "mode": "standard"},
                # Not every service knows the checksums that boto3 would add; the manifest has better ones.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                **({} if self._signs else {"signature_version": UNSIGNED}),
            )
            self._client: Any = session.client("s3", region_name=session.region_name or "us-east-1", config=config)
        except (BotoCoreError, ValueError) as error:
            raise StoreError(f"{self.where}: {error}") from None

    def names(self, below: str) -> list[str]:
        """See `Store`."""
        with self._asked(f"{self.where}/{below}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self._below + below
            )
            return sorted(each["Key"].removeprefix(self._below) for page in pages for each in page.get("Contents", ()))

    def read(self, name: str, most: int) -> bytes | None:
        """See `Store`."""
        from botocore.exceptions import ClientError

        with self._asked(f"{self.where}/{name}"):
            try:
                body = self._client.get_object(**self._object(name))["Body"]
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise
            content: bytes = body.read(most + 1)
        if len(content) > most:
            raise StoreError(f"{self.where}/{name} has more than {most:,} bytes, which no file of this kind has")
        return content

    def write(self, name: str, content: bytes, *, public: bool) -> None:
        """See `Store`."""
        with self._written(name):
            self._client.put_object(**self._object(name), **_access(public), Body=content)

    def remove(self, name: str) -> None:
        """See `Store`."""
        with self._written(name):
            self._client.delete_object(**self._object(name))

    def holds(self, name: str, size: int, digest: str) -> bool:
        """See `Store`."""
        from botocore.exceptions import ClientError

        with self._asked(f"{self.where}/{name}"), suppress(ClientError):
            head = self._client.head_object(**self._object(name))
            return bool(head["ContentLength"] == size and head["Metadata"].get("sha256") == digest)
        return False

    def put(self, file: Path, name: str, digest: str, *, public: bool, progress: Progress) -> None:
        """See `Store`; a large file is sent in parts, and those that arrived are not sent again."""
        size = file.stat().st_size
        made = {**self._object(name), **_access(public), "Metadata": {"sha256": digest}}
        with self._written(name):
            if size < 2 * _PART:
                self._client.put_object(**made, Body=file.read_bytes())
            else:
                self._put_parts(file, name, made, progress)
        progress(size, size)

    def _put_parts(self, file: Path, name: str, made: dict[str, Any], progress: Progress) -> None:
        size = file.stat().st_size
        length = max(_PART, math.ceil(size / _MOST_PARTS))
        note = self._upload_file(made, length)
        upload, arrived = self._begun(name, note, made)
        parts = []
        with file.open("rb") as content:
            for number in range(1, math.ceil(size / length) + 1):
                tag = arrived.get(number)
                if tag is None:
                    content.seek((number - 1) * length)
                    sent = self._client.upload_part(
                        **self._object(name), UploadId=upload, PartNumber=number, Body=content.read(length)
                    )
                    tag = sent["ETag"]
                parts.append({"PartNumber": number, "ETag": tag})
                progress(min(number * length, size), size)
        self._client.complete_multipart_upload(**self._object(name), UploadId=upload, MultipartUpload={"Parts": parts})
        note.unlink(missing_ok=True)

    def _begun(self, name: str, note: Path, made: dict[str, Any]) -> tuple[str, dict[int, str]]:
        """The upload of a file, and the tags of the parts that an earlier process sent."""
        from botocore.exceptions import ClientError

        with suppress(OSError, ValueError, KeyError, ClientError):
            upload = json.loads(note.read_bytes())["upload"]
            pages = self._client.get_paginator("list_parts").paginate(**self._object(name), UploadId=upload)
            return upload, {part["PartNumber"]: part["ETag"] for page in pages for part in page.get("Parts", ())}
        upload = self._client.create_multipart_upload(**made)["UploadId"]
        note.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(note, json.dumps({"upload": upload}))
        return upload, {}

    def _upload_file(self, made: dict[str, Any], length: int) -> Path:
        """Where the number of an upload is kept until it is complete; another content, or access, is another upload."""
        key = f"{self._client.meta.endpoint_url} {json.dumps(made, sort_keys=True)} {length}"
        return settings().cache_path / "uploads" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"

    def publish(self, name: str) -> None:
        """See `Store`."""
        with self._written(name):
            self._client.put_object_acl(**self._object(name), ACL="public-read")

    def blocks(self, name: str, start: int, size: int) -> Iterator[bytes]:
        """See `Store`."""
        with self._asked(f"{self.where}/{name}"):
            answer = self._client.get_object(**self._object(name), Range=f"bytes={start}-{size - 1}")
            if answer.get("ContentRange", "") != f"bytes {start}-{size - 1}/{size}":
                raise ChangedError(f"{self.where}/{name} is not what was pushed: it has another size")
            yield from answer["Body"].iter_chunks(_BLOCK)

    def _object(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self._below + name}

    @contextmanager
    def _written(self, name: str) -> Iterator[None]:
        """Around requests that write."""
        if not self._signs:
            problem = f"{self.where} is written with keys, and there are none"
            raise StoreError(problem, remedy="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        with self._asked(f"{self.where}/{name}"):
            yield

    @contextmanager
    def _asked(self, what: str) -> Iterator[None]:
        """Turns the errors of requests into one sentence."""
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
        from botocore.exceptions import ConnectionError as NoConnection
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ClientError as error:
            code = _code(error)
            if code in _FULL:
                raise StoreError(f"{what}: the bucket is full. Make room there, and push again") from None
            if code in _ABSENT:
                raise ChangedError(f"{what} is not there") from None
            if code == "InvalidRange":
                raise ChangedError(f"{what} is not what was pushed: it has another size") from None
            raise StoreError(f"{what}: {_ANSWERS.get(code, f'the service answers {code}')}") from None
        except NoConnection as error:
            problem = f"{what}: {self._client.meta.endpoint_url} does not answer ({_first_line(error)})"
            raise StoreError(problem, remedy="check the network, and AWS_ENDPOINT_URL") from None
        except (HTTPClientError, IncompleteReadError, HTTPError) as error:
            raise BrokenConnectionError(
                f"{what}: the connection broke ({_first_line(error)}). The same command goes on where it stopped"
            ) from None
        except (BotoCoreError, ValueError) as error:
            raise StoreError(f"{what}: {_first_line(error)}") from None


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _access(public: bool) -> dict[str, str]:
    return {"ACL": "public-read"} if public else {}
