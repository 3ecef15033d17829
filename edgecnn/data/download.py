"""Downloads Fashion-MNIST (Xiao et al. 2017) from its official address and verifies checksums; partial files are never kept."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn.errors import InputError, MissingExtraError
from edgecnn.files import replace, write_error

FASHION_MNIST_ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
TIMEOUT_S = 30.0
CHUNK_BYTES = 65536


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to download, its size in bytes and the SHA-256 of its content."""

    name: str
    size: int
    sha256: str


FASHION_MNIST = (
    RemoteFile("train-images-idx3-ubyte.gz", 26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
    RemoteFile("train-labels-idx1-ubyte.gz", 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
    RemoteFile("t10k-images-idx3-ubyte.gz", 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
    RemoteFile("t10k-labels-idx1-ubyte.gz", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
)


def fetch_fashion_mnist(
    folder: Path | str, *, address: str = FASHION_MNIST_ADDRESS, files: Sequence[RemoteFile] = FASHION_MNIST
) -> list[Path]:
    """Download the files that ``folder`` lacks, with a progress bar on a terminal, and return the paths of all.

    A file appears in the folder only after all were downloaded and their checksums are right. Raises ``InputError`` where the server
    refuses, the content is cut or wrong, another file of the name exists already, or the folder can't be written, and
    ``MissingExtraError`` without pooch.
    """
    folder = Path(folder)
    missing = [file for file in files if not _is_there(folder / file.name, file)]
    if missing:
        retrieve = _load_pooch()
        with _write_errors(folder), _staging(folder) as draft:
            for file in missing:
                retrieve(
                    f"{address.rstrip('/')}/{file.name}",
                    known_hash=f"sha256:{file.sha256}",
                    fname=file.name,
                    path=draft,
                    downloader=_Downloader(file),
                )
            for file in missing:
                replace(draft / file.name, folder / file.name)
    return [folder / file.name for file in files]


def _is_there(path: Path, file: RemoteFile) -> bool:
    if not path.exists():
        return False
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256:
        raise InputError(f"{path} is not {file.name} as it was published", "move it away, then download again")
    return True


def _load_pooch() -> Callable[..., str]:
    try:
        import pooch
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "pooch", "train") from error
    pooch.get_logger().setLevel(logging.WARNING)  # its line for each file would break the progress bar
    retrieve: Callable[..., str] = pooch.retrieve
    return retrieve


@contextlib.contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A temporary folder in ``folder`` for unfinished files; removed afterwards with all created folders that are empty."""
    created = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    # inside the target: renaming is atomic only within one file system
    draft = Path(tempfile.mkdtemp(prefix=".download-", dir=folder))
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        for place in created:
            with contextlib.suppress(OSError):
                place.rmdir()


@contextlib.contextmanager
def _write_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise write_error(folder, error) from error


class _Downloader:
    """Downloads one file for pooch and verifies size and checksum; network errors become one-line ``InputError``."""

    def __init__(self, file: RemoteFile) -> None:
        self._file = file

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        from pooch import HTTPDownloader
        from requests.exceptions import ChunkedEncodingError, HTTPError, RequestException

        # The published checksums are those of the .gz files: a server must not pack them once more.
        headers = {"Accept-Encoding": "identity"}
        progress = _Progress(self._file)
        download = HTTPDownloader(progressbar=progress, chunk_size=CHUNK_BYTES, timeout=TIMEOUT_S, headers=headers)
        try:
            download(url, output_file, pooch)
        except _TooLongError:
            pass  # the size on disk says it
        except ChunkedEncodingError as error:
            received = getattr(_root(error), "partial", None)  # of urllib3's IncompleteRead; the rest is not written any more
            raise self._cut(url, received if isinstance(received, int) else Path(output_file).stat().st_size) from error
        except HTTPError as error:
            raise _refused(url, f"{error.response.status_code} {error.response.reason}") from error
        except RequestException as error:
            raise _refused(url, _reason(error)) from error
        finally:
            progress.close()
        self._check(url, Path(output_file))

    def _check(self, url: str, path: Path) -> None:
        size = path.stat().st_size
        if size != self._file.size:
            raise self._cut(url, size)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        if sha256 != self._file.sha256:
            raise InputError(
                f"{url} sent other content than was published (sha256 {sha256[:16]}...)", "try again, or copy the file by hand"
            )

    def _cut(self, url: str, size: int) -> InputError:
        sent = f"more than {self._file.size}" if size > self._file.size else f"{size} of {self._file.size}"
        return InputError(f"{url} sent {sent} bytes", "try again later")


class _TooLongError(Exception):
    """More bytes arrived than the file has."""


class _Progress:
    """The progress bar that pooch updates, on a terminal only; it also stops a response that is larger than the file."""

    def __init__(self, file: RemoteFile) -> None:
        from tqdm import tqdm

        self.total, self._limit, self._seen = file.size, file.size + CHUNK_BYTES, 0  # pooch assigns ``total``
        self._bar = tqdm(total=file.size, desc=file.name, unit="B", unit_scale=True, disable=None)

    def update(self, count: int) -> None:
        """Count bytes; pooch counts whole chunks, also where the last one is shorter."""
        self._seen += count
        if self._seen > self._limit:
            raise _TooLongError
        self._bar.update(min(count, self._bar.total - self._bar.n))

    def reset(self) -> None:
        """Start from zero: pooch calls this at the end, then reports the whole size at once."""
        self._seen = 0
        self._bar.reset()

    def close(self) -> None:
        """Remove the bar's lock on the terminal; may be called again."""
        self._bar.close()


def _refused(url: str, reason: str) -> InputError:
    return InputError(f"can't download {url}: {reason}", "check the network, or copy the files into the folder by hand")


def _reason(error: BaseException) -> str:
    root = _root(error)
    return getattr(root, "strerror", None) or str(root) or type(root).__name__


def _root(error: BaseException) -> BaseException:
    """The innermost cause, such as ConnectionRefusedError: requests wraps it three times."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
