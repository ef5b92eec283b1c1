"""The cache's folder: contents come back as they were or not at all, and nothing that happens to it is an error."""

from __future__ import annotations

import os
import shutil

import pytest

from lading.adapters.cache import FolderCache
from lading.adapters.lmdb import LMDBStore
from lading.domain import digests
from lading.domain.caching import Freed, Room, Stored
from lading.domain.validators import Validator

pytestmark = pytest.mark.row("S2.12")

ROOM = Room(least_bytes=0)


def never() -> bool:
    return False


@pytest.fixture
def new_cache(tmp_path):
    """Makes caches on one folder, one after the other as engines would."""
    opened = []

    def make(clone=lambda target, source: False):
        for cache in opened:
            cache.close()
        opened.append(FolderCache(tmp_path / "cache", LMDBStore, clone=clone))
        return opened[-1]

    yield make
    for cache in opened:
        cache.close()


@pytest.fixture
def keep(tmp_path):
    """Stores bytes, as a published file is stored."""

    def store(cache, data, key="k", room=ROOM, at_ns=1, is_stopping=never):
        file = tmp_path / "published"
        file.write_bytes(data)
        stored = Stored(digest=digests.of(data), size=len(data), validator=Validator(etag='"e"'), stored_ns=at_ns)
        return stored if cache.keep(key, stored, str(file), room, is_stopping) else None

    return store


def content(cache, digest):
    """Return what the cache has under a digest, or None."""
    blob = cache.open(digest, 2)
    if blob is None:
        return None
    buffer = memoryview(bytearray(1 << 20))
    count = blob.read_into(0, buffer)
    blob.close()
    return bytes(buffer[:count])


def files(folder):
    """The contents that lie in the folder."""
    return list(folder.glob("cache/sha*/*/*"))


def test_what_was_kept_is_there_for_the_next_engine(new_cache, keep):
    """Under its key and its digest, with what its server said."""
    assert new_cache().is_empty
    stored = keep(new_cache(), b"one")
    cache = new_cache()
    assert not cache.is_empty
    assert cache.find("k") == stored
    assert cache.having(stored.digest).size == 3
    assert content(cache, stored.digest) == b"one"
    assert (cache.find("other"), cache.having(digests.of(b"two"))) == (None, None)


def test_nothing_is_made_before_there_is_something_to_keep(new_cache, tmp_path):
    """Looking does not make a folder."""
    cache = new_cache()
    assert (cache.find("k"), cache.open(digests.of(b""), 1), cache.clear()) == (None, None, Freed())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("harm", ["cut", "gone", "folder gone", "a folder in its place", "a link in its place"])
def test_a_content_that_is_not_there_as_it_was_is_let_go_of(harm, new_cache, keep, tmp_path):
    """And can be kept anew."""
    cache = new_cache()
    stored = keep(cache, b"one")
    (file,) = files(tmp_path)
    if harm == "folder gone":
        shutil.rmtree(tmp_path / "cache")
    elif harm == "cut":
        file.write_bytes(b"on")
    else:
        file.unlink()
    if harm == "a folder in its place":
        file.mkdir()
    if harm == "a link in its place":
        file.symlink_to(tmp_path / "published")
    assert content(cache, stored.digest) is None
    assert cache.find("k") is None
    if harm == "a folder in its place":
        file.rmdir()
    assert keep(cache, b"one") == stored
    assert content(cache, stored.digest) == b"one"


@pytest.mark.parametrize("harm", ["garbage", "cut", "empty", "a file in its place"])
@pytest.mark.parametrize("is_open", [True, False])
def test_a_damaged_index_is_begun_anew(harm, is_open, new_cache, keep, tmp_path):
    """With it goes what only it knew; nothing else happens."""
    cache = new_cache()
    stored = keep(cache, b"one")
    if not is_open:
        cache.close()
    index = tmp_path / "cache" / "index"
    if harm == "a file in its place":
        shutil.rmtree(index)
        index.write_bytes(b"x")
    else:
        data = index / "data.mdb"
        harmed = {"garbage": b"\xff" * data.stat().st_size, "cut": data.read_bytes()[:5000], "empty": b""}
        draft = index / "draft"
        draft.write_bytes(harmed[harm])
        if is_open:  # a map that is open must not shrink under its reader: another file takes the name
            shutil.rmtree(index)
            index.mkdir()
            draft = index / "data.mdb"
            draft.write_bytes(harmed[harm])
        else:
            os.replace(draft, data)
    cache = cache if is_open else new_cache()
    cache.find("k")
    assert cache.find("k") is None or is_open
    cache = new_cache()
    assert content(cache, stored.digest) is None
    assert keep(cache, b"two") is not None
    assert content(cache, digests.of(b"two")) == b"two"


@pytest.mark.law(9)
def test_what_was_used_least_lately_goes_first(new_cache, keep, tmp_path):
    """As much as has to; its files and its keys with it, and never the one that was just kept."""
    cache, room = new_cache(), Room(most_bytes=1000, least_bytes=0)
    data = {number: bytes([number]) * 100 for number in range(12)}
    for number in range(10):
        assert keep(cache, data[number], key=f"k{number}", room=room, at_ns=number + 1)
    cache.open(digests.of(data[0]), 100).close()
    assert keep(cache, data[10], key="k10", room=room, at_ns=101)
    left = [number for number in range(11) if cache.find(f"k{number}")]
    assert left == [0, *range(4, 11)]
    assert len(files(tmp_path)) == len(left)
    assert cache.evict(250) == Freed(blobs=6, bytes=600)
    assert [number for number in range(11) if cache.find(f"k{number}")] == [0, 10]
    assert cache.weigh() == cache.clear() == Freed(blobs=2, bytes=200)
    assert files(tmp_path) == []
    assert cache.is_empty or cache.find("k10") is None


def test_a_key_names_what_it_got_last_and_a_content_not_too_many_keys(new_cache, keep):
    """Letting one content go leaves the key to the other; URLs without end do not make an index without end."""
    cache = new_cache()
    old, new = keep(cache, b"old", key="k"), keep(cache, b"new", key="k")
    assert cache.find("k") == new
    cache.drop(old.digest)
    assert cache.find("k") == new
    for number in range(100):
        keep(cache, b"new", key=f"token {number}")
    assert sum(cache.find(f"token {number}") is not None for number in range(100)) == 64
    assert cache.find("token 99") is not None


def test_no_copy_is_made_where_the_file_system_can_share(new_cache, keep):
    """Even of what would be too large, or leave too little room, to be copied."""
    asked = []

    def clone(target, source):
        asked.append(target)
        os.pwrite(target, os.pread(source, 1 << 20, 0), 0)
        return True

    room = Room(most_bytes=100, least_bytes=0, reserve_bytes=1 << 60)
    assert keep(new_cache(), b"x" * 60, room=room) is None
    cache = new_cache(clone)
    stored = keep(cache, b"x" * 60, room=room)
    assert content(cache, stored.digest) == b"x" * 60
    assert len(asked) == 1
    keep(cache, b"x" * 60, key="other", room=room)
    assert len(asked) == 1, "what is there already is not stored again"


def test_the_disk_is_never_filled(new_cache, keep, tmp_path):
    """Nor does anything stay behind of what was not kept."""
    cache = new_cache()
    assert keep(cache, b"one", room=Room(least_bytes=0, reserve_bytes=1 << 60)) is None
    assert keep(cache, b"one", room=Room(least_bytes=0, reserve_percent=100)) is None
    assert keep(cache, b"x" * 30, room=Room(most_bytes=100, least_bytes=0)) is None, "more than a quarter"
    assert keep(cache, b"one", is_stopping=lambda: True) is None
    assert [path.name for path in (tmp_path / "cache").iterdir()] == []


def test_a_hard_link_is_made_only_where_it_is_asked_for(new_cache, keep, tmp_path):
    """Then who edits the file in place edits what is kept."""
    cache = new_cache()
    for data, link in ((b"copied", False), (b"linked", True)):
        (tmp_path / "published").unlink(missing_ok=True)
        stored = keep(cache, data, key=str(link), room=Room(least_bytes=0, link=link))
        (tmp_path / "published").write_bytes(b"edited")
        assert content(cache, stored.digest) == (b"edited" if link else data)


def test_what_lies_there_and_is_something_else_is_not_kept(new_cache, tmp_path):
    """Another length, a link, a folder, nothing."""
    cache = new_cache()
    stored = Stored(digest=digests.of(b"one"), size=3)
    (tmp_path / "longer").write_bytes(b"ones")
    (tmp_path / "link").symlink_to("longer")
    (tmp_path / "folder").mkdir()
    for name in ("longer", "link", "folder", "nothing"):
        for link in (True, False):
            room = Room(least_bytes=0, link=link)
            assert not cache.keep("k", stored, str(tmp_path / name), room, never)
    assert cache.find("k") is None
    assert files(tmp_path) == []
