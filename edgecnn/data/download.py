"""Fashion-MNIST from its official address (Xiao et al. 2017), only ever on request: checked, and whole or not there at all."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import click

from edgecnn.errors import InputError

FASHION_MNIST_ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
TIMEOUT_S = 30.0
CHUNK = 65536


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to fetch, its size in bytes and the sha256 of its content."""

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
    """Download the files that are not in ``folder`` yet, with a progress bar on a terminal, and give the paths of all.

    A file appears in the folder only when all were fetched and their checksums are right. Raises ``InputError`` where the address
    refuses, the content is cut or wrong, a file that is there already is another one, or the folder can't be written.
    """
    folder = Path(folder)
    missing = [file for file in files if not _is_there(folder / file.name, file)]
    if missing:
        with _writing(folder), _workplace(folder) as work:
            with _progress(sum(file.size for file in missing)) as advance:
                for file in missing:
                    _fetch(address.rstrip("/") + "/" + file.name, file, work / file.name, advance)
            for file in missing:
                (work / file.name).replace(folder / file.name)
    return [folder / file.name for file in files]


def _is_there(path: Path, file: RemoteFile) -> bool:
    if not path.exists():
        return False
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256:
        raise InputError(f"{file.name} as it was published at {path}", "something else", "move it away, then download again")
    return True


@contextlib.contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """A folder inside ``folder`` for unfinished files; it goes, and so do folders that were made for it and stayed empty."""
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".download-", dir=folder))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        for place in made:
            with contextlib.suppress(OSError):
                place.rmdir()


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        found = f"{error.strerror or error}"
        raise InputError(f"a folder that can be written at {folder}", found, "choose another or make room") from error


def _fetch(url: str, file: RemoteFile, path: Path, advance: Callable[[int], object]) -> None:
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as out:
        for chunk in _chunks(url):
            digest.update(chunk)
            out.write(chunk)
            size += len(chunk)
            advance(len(chunk))
            if size > file.size:
                break
    if size != file.size:
        raise InputError(f"{file.size} bytes from {url}", f"{'more' if size > file.size else size}", "try again later")
    if digest.hexdigest() != file.sha256:
        raise InputError(
            f"the published content of {url}", f"sha256 {digest.hexdigest()[:16]}...", "try again, or copy the file by hand"
        )


def _chunks(url: str) -> Iterator[bytes]:
    """The body of an address; errors of the network become one line, those of the caller pass."""
    try:
        answer = urllib.request.urlopen(url, timeout=TIMEOUT_S)
    except (OSError, HTTPException) as error:
        raise _refused(url, error) from error
    with answer:
        while True:
            try:
                chunk = answer.read(CHUNK)
            except (OSError, HTTPException) as error:
                raise _refused(url, error) from error
            if not chunk:
                return
            yield chunk


def _refused(url: str, error: Exception) -> InputError:
    found = f"{error.code} {error.reason}" if isinstance(error, urllib.error.HTTPError) else str(getattr(error, "reason", error))
    return InputError(f"an answer from {url}", found, "check the network, or copy the files into the folder by hand")


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[int], object]]:
    """A bar on stderr where that is a terminal: tqdm's where it is installed, else click's."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    try:
        from tqdm import tqdm
    except ImportError:
        with click.progressbar(length=total, label="Fashion-MNIST", file=sys.stderr) as bar:
            yield bar.update
    else:
        with tqdm(total=total, unit="B", unit_scale=True, desc="Fashion-MNIST") as bar:
            yield bar.update
