"""What is pushed to a store is pulled again byte for byte, from a folder and from a real S3 server with its faults."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import botocore.auth
import pytest

from distrack.errors import StoreError
from distrack.progress import unwatched
from distrack.store import Manifest, Store, bucket, contract, listed, open_store, pull, push, read_manifest
from distrack.store.package import AbsentError, StoredFile
from tests.s3_server import Faults, client_of, keys_of_a_user, proxy, s3_bucket, s3_server

BUCKET = "runs-of-tests"
SAFE = ("config.json", "metrics.jsonl", "audio/zero_0.flac", "synthetic.safetensors")
UNSAFE = ("log.txt", "model.pt", "code.py", "audio/zero_0.wav")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """An S3 server that trusts everybody, with a bucket."""
    with s3_bucket(BUCKET) as address:
        yield address


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Sets the variables that AWS's programs read, and no other ones."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def use(address: str, access: str | None = "any", secret: str = "any") -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        for name, value in (("AWS_ACCESS_KEY_ID", access), ("AWS_SECRET_ACCESS_KEY", secret)):
            if access is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, str(value))

    return use


@pytest.fixture
def faulty(server: str, keys: Callable[..., None]) -> Iterator[Faults]:
    """The server behind a proxy that can be made to fail."""
    with proxy(server) as (address, faults):
        keys(address)
        yield faults


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, server: str, keys: Callable[..., None], tmp_path: Path) -> Store:
    """A store of each kind, empty."""
    keys(server)
    return open_store(str(tmp_path / "shared") if request.param == "folder" else f"s3://{BUCKET}/{tmp_path.name}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run, with files that are pushed and files that are not."""
    for name in (*SAFE, *UNSAFE):
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).write_bytes(name.encode() * 1000)
    (tmp_path / "run" / "metrics.jsonl").write_bytes(b"")
    (tmp_path / "run" / ".hidden.json").write_text("{}")
    (tmp_path / "run" / "link.json").symlink_to("/etc/hostname")
    return tmp_path / "run"


def described(files: tuple[StoredFile, ...], run_id: str = "one") -> Manifest:
    return Manifest(id=run_id, kind="distillation", title="One · “quick”", files=files)


def sent(store: Store, folder: Path) -> int:
    """Bytes that a push sends."""
    return push(store, folder, described, public=False, progress=unwatched)[1]


def pulled(store: Store, target: Path) -> int:
    """Bytes that a pull fetches."""
    return pull(store, read_manifest(store, "one"), target, progress=unwatched)


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_pulled_run_has_the_bytes_of_the_pushed_one_and_data_alone(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    assert listed(store) == []
    size = sent(store, folder)
    assert size == sum((folder / name).stat().st_size for name in SAFE)
    assert sent(store, folder) == 0, "what is there is not sent again"
    (manifest,) = listed(store)
    assert (manifest.id, manifest.title, manifest.size) == ("one", "One · “quick”", size)
    assert pulled(store, tmp_path / "here") == size
    assert contents(tmp_path / "here") == {name: content for name, content in contents(folder).items() if name in SAFE}
    assert pulled(store, tmp_path / "here") == 0, "it is here already"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".partial")] == []


def test_a_run_that_changed_is_pushed_as_far_as_it_changed(store: Store, folder: Path, tmp_path: Path) -> None:
    sent(store, folder)
    (folder / "config.json").write_bytes(b"{}")
    assert sent(store, folder) == 2
    pulled(store, tmp_path / "here")
    assert (tmp_path / "here" / "config.json").read_bytes() == b"{}"
    (tmp_path / "here" / "config.json").write_bytes(b"[]")
    with pytest.raises(StoreError, match="one is here with another content: delete that one first"):
        pulled(store, tmp_path / "here")
    assert (tmp_path / "here" / "config.json").read_bytes() == b"[]", "nothing is lost"


def test_a_changed_object_is_refused_and_not_here(store: Store, folder: Path, tmp_path: Path) -> None:
    sent(store, folder)
    whole = (folder / "synthetic.safetensors").read_bytes()
    for content in (whole[:-1] + b"?", whole + b"?", whole[:-1]):
        store.write("runs/one/synthetic.safetensors", content, public=False)
        with pytest.raises(StoreError, match=r"synthetic.safetensors .*is not what was pushed"):
            pulled(store, tmp_path / "here")
        assert not (tmp_path / "here").exists()
    store.write("runs/one/synthetic.safetensors", whole, public=False)
    pulled(store, tmp_path / "here")
    assert (tmp_path / "here" / "synthetic.safetensors").read_bytes() == whole


BAD_NAMES = ["../x.json", "/etc/x.json", "a/../x.json", "C:x.json", ".lock.json", "a\\b.json", "a//b.json", "a\n.json"]
BAD_NAMES += ["model.pkl", "model.pt", "run.py", "notes.txt", "a/b/c/d.json", "", "x.json/"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_manifest_that_names_another_place_or_kind_is_refused(store: Store, folder: Path, name: str) -> None:
    sent(store, folder)
    manifest = json.loads(store.read("runs/one/manifest.json", 10**6) or b"")
    manifest["files"][0]["name"] = name
    store.write("runs/one/manifest.json", json.dumps(manifest).encode(), public=False)
    with pytest.raises(StoreError, match=r"the manifest of one in .* is refused"):
        read_manifest(store, "one")
    assert listed(store) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\x80\x04pickle", b'{"format": "other"}'])
def test_a_damaged_manifest_is_refused(store: Store, content: bytes) -> None:
    store.write("runs/one/manifest.json", content, public=False)
    with pytest.raises(StoreError, match="refused"):
        read_manifest(store, "one")


def test_what_is_not_there_is_said(store: Store) -> None:
    with pytest.raises(AbsentError, match="there is no run one in"):
        read_manifest(store, "one")
    for run_id in ("../one", "a/b/c", "", "x" * 300):
        with pytest.raises(StoreError, match="is not the id of a run"):
            read_manifest(store, run_id)
    store.write("runs/one/manifest.json", b" " * 20_000_001, public=False)
    with pytest.raises(StoreError, match=r"more than 20,000,000 bytes"):
        read_manifest(store, "one")


def test_no_more_is_fetched_than_the_manifest_says(store: Store, folder: Path, tmp_path: Path) -> None:
    sent(store, folder)
    manifest = json.loads(store.read("runs/one/manifest.json", 10**6) or b"")
    manifest["files"][0]["size"] = 2
    store.write("runs/one/manifest.json", json.dumps(manifest).encode(), public=False)
    with pytest.raises(StoreError, match="is not what was pushed"):
        pulled(store, tmp_path / "here")
    assert sum(path.stat().st_size for path in tmp_path.glob(".here*/**/*") if path.is_file()) <= 2


@pytest.mark.parametrize("title", ["\x1b]0;a\x07", "two\nlines", "x" * 501])
def test_a_title_that_is_no_line_of_text_is_refused(store: Store, folder: Path, title: str) -> None:
    sent(store, folder)
    manifest = json.loads(store.read("runs/one/manifest.json", 10**6) or b"")
    store.write("runs/one/manifest.json", json.dumps({**manifest, "title": title}).encode(), public=False)
    with pytest.raises(StoreError, match="refused"):
        read_manifest(store, "one")


def test_a_file_that_could_not_be_pulled_is_not_pushed(store: Store, folder: Path) -> None:
    (folder / "a" / "b" / "c").mkdir(parents=True)
    (folder / "a" / "b" / "c" / "deep.json").write_text("{}")
    with pytest.raises(StoreError, match=r"run cannot be pushed: .*a/b/c/deep.json"):
        sent(store, folder)
    assert listed(store) == []


# The bucket


def test_a_fetch_goes_on_where_its_connection_broke(faulty: Faults, folder: Path, tmp_path: Path) -> None:
    store = open_store(f"s3://{BUCKET}/{tmp_path.name}")
    (folder / "synthetic.safetensors").write_bytes(bytes(range(256)) * 40_000)
    sent(store, folder)
    faulty.break_after, faulty.breaks = 3_000_000, 3
    size = pulled(store, tmp_path / "here")
    assert faulty.breaks == 0
    assert size == sum((folder / name).stat().st_size for name in SAFE)
    assert (tmp_path / "here/synthetic.safetensors").read_bytes() == (folder / "synthetic.safetensors").read_bytes()


def test_a_fetch_that_breaks_again_and_again_is_an_error_and_another_one_goes_on(
    faulty: Faults, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contract, "_PAUSES", (0.01, 0.01))
    store = open_store(f"s3://{BUCKET}/{tmp_path.name}")
    (folder / "synthetic.safetensors").write_bytes(bytes(range(256)) * 40_000)
    sent(store, folder)

    def stop(done: int, _total: int, _name: str) -> None:
        if done > 4_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(store, read_manifest(store, "one"), tmp_path / "here", progress=stop)
    faulty.break_after, faulty.breaks = 0, 1000
    manifest = read_manifest_without_faults(store, faulty)
    with pytest.raises(StoreError, match="The same command goes on where it stopped"):
        pull(store, manifest, tmp_path / "here", progress=unwatched)
    assert not (tmp_path / "here").exists()
    faulty.breaks = 0
    moved = pulled(store, tmp_path / "here")
    assert 0 < moved < manifest.size - 3_000_000, "only the rest is fetched"
    assert contents(tmp_path / "here") == {name: content for name, content in contents(folder).items() if name in SAFE}


def read_manifest_without_faults(store: Store, faulty: Faults) -> Manifest:
    breaks, faulty.breaks = faulty.breaks, 0
    manifest = read_manifest(store, "one")
    faulty.breaks = breaks
    return manifest


def test_parts_of_a_large_file_that_arrived_are_not_sent_again(
    faulty: Faults, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "_PART", 5 * 2**20)  # the smallest that S3 takes
    store = open_store(f"s3://{BUCKET}/{tmp_path.name}")
    content = bytes(range(256)) * 80_000
    (folder / "synthetic.safetensors").write_bytes(content)
    faulty.parts = 2
    with pytest.raises(StoreError, match=r"goes on where it stopped|does not answer"):
        sent(store, folder)
    assert listed(store) == [], "nobody sees half of a run"
    faulty.parts, faulty.requests[:] = None, []
    sent(store, folder)
    parts = [path for method, path in faulty.requests if method == "PUT" and "partNumber=" in path]
    assert len(parts) == 2, "two of four parts were there"
    pulled(store, tmp_path / "here")
    assert (tmp_path / "here" / "synthetic.safetensors").read_bytes() == content
    # Another content is another upload.
    (folder / "synthetic.safetensors").write_bytes(content[::-1])
    sent(store, folder)
    pulled(store, tmp_path / "there")
    assert (tmp_path / "there" / "synthetic.safetensors").read_bytes() == content[::-1]


def test_a_full_bucket_is_said_and_nothing_is_half_there(faulty: Faults, folder: Path, tmp_path: Path) -> None:
    store = open_store(f"s3://{BUCKET}/{tmp_path.name}")
    faulty.full = True
    with pytest.raises(StoreError, match=r"the bucket is full. Make room there, and push again"):
        sent(store, folder)
    faulty.full = False
    assert listed(store) == []
    assert sent(store, folder) > 0


def test_a_clock_that_is_off_is_said(
    faulty: Faults, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del faulty
    before = botocore.auth.get_current_datetime

    def later(*, remove_tzinfo: bool = True) -> object:
        return before(remove_tzinfo=remove_tzinfo).replace(year=2020)

    monkeypatch.setattr(botocore.auth, "get_current_datetime", later)
    with pytest.raises(StoreError, match="the clock of this computer is off"):
        sent(open_store(f"s3://{BUCKET}/{tmp_path.name}"), folder)


def test_wrong_keys_and_a_missing_bucket_are_told_apart(
    keys: Callable[..., None], folder: Path, tmp_path: Path
) -> None:
    with s3_server(free_requests=3) as address:
        access, secret = keys_of_a_user(address, "s3:*")
        for wrong, says in (
            (("nobody", secret), "the access key is unknown there"),
            ((access, "nothing"), "the secret key does not fit the access key"),
        ):
            keys(address, *wrong)
            with pytest.raises(StoreError, match=says):
                sent(open_store(f"s3://{BUCKET}"), folder)
        keys(address, access, secret)
        with pytest.raises(StoreError, match="there is no such bucket: check its name"):
            sent(open_store(f"s3://{BUCKET}"), folder)
        client = client_of(address, access=access, secret=secret)
        client.create_bucket(Bucket=BUCKET)
        sent(open_store(f"s3://{BUCKET}"), folder)
        pulled(open_store(f"s3://{BUCKET}"), tmp_path / "here")
    with s3_server(free_requests=4) as address:
        access, secret = keys_of_a_user(address, "s3:Get*")
        client = client_of(address)
        client.create_bucket(Bucket=BUCKET)
        keys(address, access, secret)
        with pytest.raises(StoreError, match="these keys may not do this"):
            sent(open_store(f"s3://{BUCKET}"), folder)


def test_without_keys_anybody_reads_and_nobody_writes(
    server: str, keys: Callable[..., None], folder: Path, tmp_path: Path
) -> None:
    keys(server)
    address = f"s3://{BUCKET}/{tmp_path.name}"
    push(open_store(address), folder, described, public=True, progress=unwatched)
    client = client_of(server)
    granted = [
        client.get_object_acl(Bucket=BUCKET, Key=f"{tmp_path.name}/runs/one/{name}")["Grants"]
        for name in ("manifest.json", *SAFE)
    ]
    assert all(any("AllUsers" in each["Grantee"].get("URI", "") for each in grants) for grants in granted)
    shutil.rmtree(tmp_path / "shared", ignore_errors=True)
    keys(server, None)
    store = open_store(address)
    pulled(store, tmp_path / "here")
    with pytest.raises(StoreError, match="there are none: set AWS_ACCESS_KEY_ID"):
        sent(store, folder)


def test_a_run_that_is_there_is_published_by_a_second_push(
    server: str, keys: Callable[..., None], folder: Path, tmp_path: Path
) -> None:
    keys(server)
    store = open_store(f"s3://{BUCKET}/{tmp_path.name}")
    sent(store, folder)
    assert push(store, folder, described, public=True, progress=unwatched)[1] == 0
    client = client_of(server)
    grants = client.get_object_acl(Bucket=BUCKET, Key=f"{tmp_path.name}/runs/one/config.json")["Grants"]
    assert any("AllUsers" in each["Grantee"].get("URI", "") for each in grants)


def test_files_are_private_unless_asked(server: str, keys: Callable[..., None], folder: Path, tmp_path: Path) -> None:
    keys(server)
    sent(open_store(f"s3://{BUCKET}/{tmp_path.name}"), folder)
    client = client_of(server)
    grants = client.get_object_acl(Bucket=BUCKET, Key=f"{tmp_path.name}/runs/one/config.json")["Grants"]
    assert not any("AllUsers" in each["Grantee"].get("URI", "") for each in grants)


def test_nobody_at_the_address_is_said(keys: Callable[..., None], folder: Path) -> None:
    keys("http://127.0.0.1:9")
    with pytest.raises(StoreError, match=r"does not answer .*check the network, and AWS_ENDPOINT_URL"):
        sent(open_store(f"s3://{BUCKET}"), folder)


@pytest.mark.parametrize("address", ["s3://", "s3://UPPER case", "s3://a/b c"])
def test_impossible_addresses_are_refused(address: str, server: str, keys: Callable[..., None], folder: Path) -> None:
    keys(server)
    with pytest.raises(StoreError, match=r"s3://"):
        sent(open_store(address), folder)


def test_the_bucket_of_pickles_is_refused() -> None:
    with pytest.raises(StoreError, match="pickled models of another program, which are never loaded"):
        open_store("s3://matching-pursuit-trained-models")
