"""How an address becomes a store: `s3://bucket/prefix`, the name of a bucket, or a folder."""

from distrack.errors import StoreError
from distrack.settings import settings, user_path
from distrack.store.contract import Store
from distrack.store.folder import FolderStore

# A bucket of earlier research on matching pursuit: its models are of another program, and pickled.
_PICKLES = "matching-pursuit-trained-models"


def open_store(address: str | None = None) -> Store:
    """The store at an address, or at that of the environment (`S3_BUCKET`, else `DISTRACK_LIVE_STORE`).

    Args:
        address: `s3://bucket/prefix`, or the path of a folder. In the environment a word without a slash is the name
            of a bucket.

    Raises:
        StoreError: no address is given anywhere, or it is not one of a store.
    """
    address = (address or _of_environment()).strip()
    if not address.startswith("s3://"):
        return FolderStore(user_path(address))
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    if not bucket:
        raise StoreError(f"{address} names no bucket: s3://BUCKET or s3://BUCKET/PREFIX")
    if bucket == _PICKLES:
        raise StoreError(
            f"s3://{bucket} holds pickled models of another program, which are never loaded: use a bucket that was "
            f"written by `python -m distrack push`"
        )
    from distrack.store.bucket import BucketStore

    return BucketStore(bucket, prefix.strip("/"))


def is_set() -> bool:
    """Whether the environment names a store."""
    return bool(addresses())


def addresses() -> tuple[str, ...]:
    """The addresses that the environment names: `S3_BUCKET`, and the store that runs are written to."""
    bucket, live = settings().s3_bucket, settings().live_store
    if bucket and "/" not in bucket:
        bucket = f"s3://{bucket}"
    return tuple(dict.fromkeys(address for address in (bucket, live) if address))


def _of_environment() -> str:
    if not (named := addresses()):
        raise StoreError("no store is named", remedy="set S3_BUCKET, or pass --store s3://BUCKET/PREFIX or a folder")
    return named[0]
