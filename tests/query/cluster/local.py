"""Shards in this process."""

from db.database import Database
from query.cluster.corpus import plan_shards
from query.cluster.paged import PagedDatabase
from query.cluster.pages import CACHE_BYTES
from query.cluster.shard import LocalShards


def shards_of(
    database: Database, n_shards: int, *, max_bytes: int = CACHE_BYTES
) -> tuple[LocalShards, PagedDatabase]:
    """Divide a database into shards, and see it through them."""
    corpus = plan_shards([("corpus", database.path)], n_shards)
    shards = LocalShards(corpus)
    return shards, PagedDatabase(shards, corpus, max_bytes=max_bytes)
