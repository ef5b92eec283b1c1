"""Rows as Apache Parquet: typed columns, row groups of bounded size, and metadata that says what a file holds.

What is written: times as timestamps in UTC with microseconds, numbers as 64-bit integers, words as dictionaries, tags
as lists of text, JSON as text; compressed with zstd. What describes the content stands in the file's own key-value
metadata under the key `lading`, as JSON, so that it cannot be lost apart from it.

pyarrow comes with the extra `[analytics]`; nothing here is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import orjson

from lading.adapters.plain_files import open_plain
from lading.domain.errors import IntegrityError, UsageError
from lading.projections.tables import Column, Kind, Row

if TYPE_CHECKING:
    import pyarrow as pa

KEY = b"lading"
ROW_GROUP = 50_000
PAGE = 5_000
INSTALL = "python -m pip install 'lading[analytics]'"


def require() -> None:
    """Refuse to go on without pyarrow.

    Raises:
        UsageError: it is not installed; the hint is the command that installs it.
    """
    try:
        import pyarrow.parquet  # noqa: F401 # to see whether it is there
    except ImportError:
        raise UsageError("Parquet needs packages that are not installed: pyarrow", hint=INSTALL) from None


def _plain(kind: Kind) -> pa.DataType:
    import pyarrow as pa

    match kind:
        case Kind.INT:
            return pa.int64()
        case Kind.TEXT | Kind.WORD | Kind.JSON:
            return pa.string()
        case Kind.TEXTS:
            return pa.list_(pa.string())
        case Kind.TIME:
            return pa.timestamp("us", tz="UTC")
        case Kind.FLAG:
            return pa.bool_()


def plain_schema(columns: Sequence[Column]) -> pa.Schema:
    """Return the types of columns, words as plain text."""
    import pyarrow as pa

    return pa.schema([pa.field(column.name, _plain(column.kind)) for column in columns])


def batch(columns: Sequence[Column], values: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    """Return values, a sequence for each column, as a batch of `plain_schema`."""
    import pyarrow as pa

    arrays = [
        pa.array(held, pa.binary()).cast(pa.string())
        if column.kind is Kind.JSON
        else pa.array(held, _plain(column.kind))
        for column, held in zip(columns, values, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=plain_schema(columns))


class ParquetWriter:
    """Writes rows into an open file; at most two row groups are in memory.

    Args:
        file: where to; it is not closed.
        columns: what the rows have.
    """

    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        require()
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._columns = columns
        words = [column.name for column in columns if column.kind is Kind.WORD]
        self._schema = pa.schema(
            [
                pa.field(column.name, pa.dictionary(pa.int32(), pa.string()))
                if column.kind is Kind.WORD
                else pa.field(column.name, _plain(column.kind))
                for column in columns
            ]
        )
        self._crew = ThreadPoolExecutor(1, "lading-parquet")
        self._writing: Future[None] | None = None
        self._writer: Any = pq.ParquetWriter(
            file, self._schema, compression="zstd", use_dictionary=words, write_page_checksum=True
        )
        self._batches: list[pa.RecordBatch] = []
        self._held = 0

    def write(self, values: Sequence[Sequence[Any]]) -> None:
        """Add rows, given as a sequence for each column."""
        made = batch(self._columns, values)
        self._batches.append(made)
        self._held += made.num_rows
        if self._held >= ROW_GROUP:
            self._flush()

    def close(self, metadata: Mapping[str, Any]) -> None:
        """Write what is left, and the metadata; without this call the file cannot be read."""
        if self._held:
            self._flush()
        self._wait()
        self._crew.shutdown()
        self._writer.add_key_value_metadata({KEY: orjson.dumps(metadata)})
        self._writer.close()

    def abandon(self) -> None:
        """Write no more, whatever is left; after `close` this does nothing."""
        self._batches = []
        self._crew.shutdown(cancel_futures=True)
        self._writer.is_open = False  # or it would end the file when it is collected

    def _flush(self) -> None:
        """Let the row group be compressed and written, without the interpreter's lock, while the next one is made."""
        self._wait()
        self._writing = self._crew.submit(self._write_group, self._batches)
        self._batches, self._held = [], 0

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _write_group(self, batches: Sequence[pa.RecordBatch]) -> None:
        import pyarrow as pa

        table = pa.Table.from_batches(batches).combine_chunks()
        for at, column in enumerate(self._columns):
            if column.kind is Kind.WORD:
                table = table.set_column(at, self._schema.field(at), table.column(at).dictionary_encode())
        self._writer.write_table(table, row_group_size=ROW_GROUP * 2)


def read_metadata(path: str) -> Mapping[str, Any]:
    """Return what a file says of itself.

    Raises:
        IntegrityError: it is no Parquet file, is cut short, or says nothing of itself.
    """
    require()
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open_plain(path) as opened, pq.ParquetFile(opened) as file:
            found = (file.metadata.metadata or {}).get(KEY)
        words: Any = orjson.loads(found) if found else None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise IntegrityError(f"{path} cannot be read as Parquet: {type(error).__name__}") from error
    if not isinstance(words, dict):
        raise IntegrityError(f"{path} does not say what it holds", hint="only what `lading export` wrote does")
    return words


class ParquetReader:
    """Reads a file from its first row to its last, as many rows at a time as are asked for.

    Use it as a context.

    Raises:
        IntegrityError: its columns are others than these, or it cannot be read.
    """

    def __init__(self, path: str, columns: Sequence[Column]) -> None:
        require()
        import pyarrow.parquet as pq

        self._path = path
        self._columns = columns
        self._plain = plain_schema(columns)
        with self._reading():
            opened = open_plain(path)  # pyarrow itself takes only paths that are UTF-8
            try:
                self._file: Any = pq.ParquetFile(opened, page_checksum_verification=True)
            except BaseException:
                opened.close()
                raise
        names = self._file.schema_arrow.names
        if names != self._plain.names:
            self._file.close(force=True)
            raise IntegrityError(f"{path} has other columns than it should: {', '.join(names)}")
        self._batches: Iterator[pa.RecordBatch] = self._file.iter_batches(batch_size=PAGE)
        self._rest: pa.Table = self._plain.empty_table()

    def take(self, count: int) -> pa.RecordBatch:
        """Return the next rows as a batch of `plain_schema`, fewer than `count` only at the end of the file.

        Raises:
            IntegrityError: they cannot be read.
        """
        import pyarrow as pa

        with self._reading():
            while self._rest.num_rows < count:
                found = next(self._batches, None)
                if found is None:
                    break
                self._rest = pa.concat_tables([self._rest, pa.Table.from_batches([found]).cast(self._plain)])
            taken, self._rest = self._rest.slice(0, count), self._rest.slice(count)
            arrays = [held.combine_chunks() for held in taken.columns]
            return pa.RecordBatch.from_arrays(arrays, schema=self._plain)

    def rows(self, batch: pa.RecordBatch) -> list[Row]:
        """Return a batch as rows."""
        return list(zip(*map(_values, self._columns, batch.columns), strict=True))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise IntegrityError(f"{self._path} cannot be read: {type(error).__name__}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close(force=True)


def _values(column: Column, held: pa.Array) -> list[Any]:
    import pyarrow as pa

    if column.kind is Kind.TIME:
        held = held.cast(pa.int64())
    elif column.kind is Kind.JSON:
        held = held.cast(pa.binary())
    found: list[Any] = held.to_pylist()
    return found
