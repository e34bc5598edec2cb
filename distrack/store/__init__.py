"""Stores: where runs and trained models lie for others to fetch, in a folder or in an S3 bucket."""

from distrack.store.contract import Store
from distrack.store.package import Manifest, listed, pull, push, read_manifest
from distrack.store.place import addresses, is_set, open_store

__all__ = ["Manifest", "Store", "addresses", "is_set", "listed", "open_store", "pull", "push", "read_manifest"]
