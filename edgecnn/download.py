"""Downloads one file over HTTP with pooch: an interrupted download is continued, size and SHA-256 are checked, the name appears at the end.

What has arrived is kept beside the target as ``.NAME.part``, with the ETag of its content where the server names one.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

from edgecnn.errors import InputError, MissingExtraError
from edgecnn.files import replace, write_error

TIMEOUT_S = 30.0
CHUNK_BYTES = 65536
MOST_BYTES = 1 << 31  # of a file whose size is not known


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to download: its name, size in bytes (None: not known) and the SHA-256 of its content ("": not known)."""

    name: str
    size: int | None
    sha256: str


def by_hand(place: Path) -> str:
    """The advice where a file can't be downloaded: ``place`` is where it is looked for before a download."""
    return f"put the file by hand at {place} (make its folder)"


def download(
    url: str,
    target: Path,
    file: RemoteFile,
    *,
    extra: str,
    hosts: Sequence[str] = (),
    cut_fix: str = "try again later",
    place: Path | None = None,
) -> None:
    """Download ``url`` to ``target``, with a progress bar on a terminal.

    Without a SHA-256 a redirect is followed only to ``hosts``; with one the content says whether it is right. ``extra`` is the part of
    edgecnn that has pooch, ``cut_fix`` the advice after a transfer that broke off, ``place`` where the user puts the file by hand
    (default: ``target``). Raises ``InputError`` where the server refuses, the
    content is cut or wrong, or the target can't be written, and ``MissingExtraError`` without pooch. After an interrupt and where a
    transfer broke off the next call goes on from what is kept beside the target; what can't be continued, or is wrong, is removed.
    """
    check_installed(extra)
    part = target.with_name(f".{target.name}.part")
    etag = part.with_suffix(".etag")
    one = _OneDownload(url, part, etag, file, hosts, cut_fix, place or target)
    try:
        one.run()
        replace(part, target)
        etag.unlink(missing_ok=True)
    except InputError:
        raise
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        one.forget_what_is_no_use()


def check_installed(extra: str) -> None:
    """Raise ``MissingExtraError`` without pooch, which the part ``extra`` of edgecnn brings."""
    try:
        import pooch  # noqa: F401
        import requests  # noqa: F401
        import tqdm  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "pooch", extra) from error


class _OneDownload:
    """One download into ``part``."""

    def __init__(
        self, url: str, part: Path, etag: Path, file: RemoteFile, hosts: Sequence[str], cut_fix: str, place: Path
    ) -> None:
        self._url, self._part, self._etag, self._file = url, part, etag, file
        self._hosts, self._cut_fix = hosts, cut_fix
        self._by_hand = by_hand(place)
        self._again = f"try again, or {self._by_hand}"

    def run(self) -> None:
        """Fetch what is missing, and check the whole. Raises ``InputError`` and ``OSError``."""
        whole = self._file.size is not None and _size(self._part) == self._file.size
        if not whole and not self._fetch():
            self._forget()  # the server has no content from there on: what was kept is of another file
            self._fetch()
        self._check()

    def _fetch(self) -> bool:
        """Add what is missing to the part; False where the server has nothing that begins there."""
        from pooch import HTTPDownloader
        from requests.exceptions import ChunkedEncodingError, HTTPError, RequestException

        with self._part.open("ab") as stream:
            start = _Start(self._url, stream, self._kept(stream), self._etag, self._file, self._hosts, self._again)
            progress = _Progress(self._file, start)
            get = HTTPDownloader(
                progressbar=progress,
                chunk_size=CHUNK_BYTES,
                timeout=TIMEOUT_S,
                headers=start.headers(),
                hooks={"response": start},
            )
            try:
                get(self._url, stream, None)
            except _TooLongError:
                self._forget()
                raise self._other_size(f"more than {self._file.size or MOST_BYTES}") from None
            except ChunkedEncodingError as error:
                received = getattr(_root(error), "partial", None)  # of urllib3's IncompleteRead; the rest is not written any more
                whole = start.at + received if isinstance(received, int) else _size(self._part)
                raise InputError(f"{self._url} sent {whole} of {self._file.size or '?'} bytes", self._cut_fix) from error
            except HTTPError as error:
                if error.response.status_code == 416 and start.at:
                    return False
                raise self._refused(f"{error.response.status_code} {error.response.reason}") from error
            except RequestException as error:
                raise self._refused(_reason(error)) from error
            finally:
                progress.close()
                start.close()
        return True

    def _kept(self, stream: BinaryIO) -> int:
        """From which byte on content is asked for: what is kept counts where the digest or an ETag can say that it is of the same file."""
        size = stream.tell()
        usable = size < (self._file.size or MOST_BYTES) and self._can_go_on
        if size and not usable:
            stream.truncate(0)
        return size if usable else 0

    @property
    def _can_go_on(self) -> bool:
        return bool(self._file.sha256) or self._etag.exists()

    def forget_what_is_no_use(self) -> None:
        """After a failure: remove a part that is empty, or that the next call could not go on from."""
        with contextlib.suppress(OSError):
            if not _size(self._part) or not self._can_go_on:
                self._forget()

    def _check(self) -> None:
        size = _size(self._part)
        if self._file.size is not None and size != self._file.size:
            self._forget()
            raise self._other_size(str(size))
        sha256 = digest(self._part)
        if self._file.sha256 and sha256 != self._file.sha256:
            self._forget()
            raise InputError(f"{self._url} sent other content than was published (sha256 {sha256[:16]}...)", self._again)

    def _other_size(self, sent: str) -> InputError:
        of = f" of {self._file.size}" if self._file.size and not sent.startswith("more") else ""
        return InputError(f"{self._url} sent {sent}{of} bytes", self._again)

    def _refused(self, reason: str) -> InputError:
        return InputError(f"can't download {self._url}: {reason}", f"check the network, or {self._by_hand}")

    def _forget(self) -> None:
        self._part.unlink(missing_ok=True)
        self._etag.unlink(missing_ok=True)


class _Start:
    """Asks for the rest of a file, and looks at what the server answers before its content is written: a hook of requests.

    ``at`` is the byte at which the content that is written begins.
    """

    def __init__(
        self, url: str, stream: BinaryIO, at: int, etag: Path, file: RemoteFile, hosts: Sequence[str], other_size_fix: str
    ) -> None:
        self._url, self._stream, self.at, self._etag, self._other_size_fix = url, stream, at, etag, other_size_fix
        self._file, self._hosts = file, (urlsplit(url).hostname, *hosts)
        self._responses: list[Any] = []

    def headers(self) -> Mapping[str, str]:
        """The headers of the request."""
        # The published checksums are those of the file: a server must not pack it once more.
        wanted = {"Accept-Encoding": "identity"}
        if not self.at:
            return wanted
        wanted["Range"] = f"bytes={self.at}-"
        with contextlib.suppress(OSError):
            wanted["If-Range"] = self._etag.read_text()
        return wanted

    def __call__(self, response: Any, **_: Any) -> None:
        """Raises ``InputError`` for a redirect that is not followed and for a size that can't be right."""
        self._responses.append(response)
        if response.is_redirect:
            self._check_redirect(urljoin(response.url, response.headers["location"]))
        elif response.ok:
            if self.at and not (response.status_code == 206 and _begin(response) == self.at):
                self._stream.truncate(0)  # the server sends the whole file
                self.at = 0
            self._check_length(response.headers.get("content-length", ""))
            tag = response.headers.get("etag", "")
            if tag.startswith('"'):  # a weak one does not mean equal bytes
                self._etag.write_text(tag)

    def close(self) -> None:
        """Close the connections: pooch leaves those of refused requests open."""
        for response in self._responses:
            response.close()

    def _check_redirect(self, target: str) -> None:
        there, here = urlsplit(target), urlsplit(self._url)
        if self._file.sha256:
            return
        if there.hostname not in self._hosts or (here.scheme == "https" and there.scheme != "https"):
            raise InputError(
                f"{self._url} sends on to {there.scheme}://{there.hostname}, and there is no SHA-256 to check what comes from there",
                "get the file by hand, and edgecnn wrap it",
            )

    def _check_length(self, text: str) -> None:
        if text.isdecimal() and self._file.size is not None and self.at + int(text) != self._file.size:
            self._stream.truncate(0)
            raise InputError(
                f"{self._url} has {self.at + int(text)} bytes, but {self._file.size} were published", self._other_size_fix
            )


class _TooLongError(Exception):
    """More bytes arrived than the file has."""


class _Progress:
    """The progress bar that pooch updates, on a terminal only; it also stops a response that is larger than the file."""

    def __init__(self, file: RemoteFile, start: _Start) -> None:
        from tqdm import tqdm

        self.total, self._start = file.size, start  # pooch assigns ``total``
        self._limit, self._seen = (file.size or MOST_BYTES) + CHUNK_BYTES, 0
        self._bar = tqdm(total=file.size, initial=start.at, desc=file.name, unit="B", unit_scale=True, disable=None)

    def update(self, count: int) -> None:
        """Count bytes; pooch counts whole chunks, also where the last one is shorter."""
        self._seen += count
        if self._start.at + self._seen > self._limit:
            raise _TooLongError
        self._bar.update(count if self._bar.total is None else min(count, self._bar.total - self._bar.n))

    def reset(self) -> None:
        """Start again: pooch calls this at the end, then reports the whole size at once."""
        self._seen = 0
        self._bar.reset()
        self._bar.update(self._start.at)

    def close(self) -> None:
        """Remove the bar's lock on the terminal; may be called again."""
        self._bar.close()


def digest(path: Path) -> str:
    """The SHA-256 of a file's content."""
    total = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def _begin(response: Any) -> int | None:
    """The first byte of a partial response: Content-Range is "bytes 20-59/60"."""
    words = response.headers.get("content-range", "").removeprefix("bytes ").split("-")
    return int(words[0]) if words[0].isdecimal() else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: BaseException) -> str:
    root = _root(error)
    return getattr(root, "strerror", None) or str(root) or type(root).__name__


def _root(error: BaseException) -> BaseException:
    """The innermost cause, such as ConnectionRefusedError: requests wraps it three times."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
