"""Downloads Fashion-MNIST (Xiao et al. 2017) from its official address and verifies checksums; partial files are never kept."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgecnn.download import RemoteFile, check_installed, digest, download
from edgecnn.errors import InputError
from edgecnn.files import replace, write_error

FASHION_MNIST_ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"

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
        check_installed("train")
        with _write_errors(folder), _staging(folder) as draft:
            for file in missing:
                download(f"{address.rstrip('/')}/{file.name}", draft / file.name, file, extra="train", place=folder / file.name)
            for file in missing:
                replace(draft / file.name, folder / file.name)
    return [folder / file.name for file in files]


def _is_there(path: Path, file: RemoteFile) -> bool:
    if not path.exists():
        return False
    if not path.is_file() or digest(path) != file.sha256:
        raise InputError(f"{path} is not {file.name} as it was published", "move it away, then download again")
    return True


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
