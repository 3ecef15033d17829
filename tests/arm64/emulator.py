"""Runs programs of a Debian arm64 root under qemu-user, in namespaces of its own: nothing is mounted or registered on the machine.

The kernel starts arm64 programs, also those that a program starts in turn, with qemu by binfmt_misc. Since Linux 6.7 a user namespace
has its own list of such formats, so neither root nor a change to the machine is needed. An older kernel works where the machine has
the format registered, as the package qemu-user-static does.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgecnn.errors import InputError
from tests.arm64.processors import PROCESSORS, Processor

REGISTERED = Path("/proc/sys/fs/binfmt_misc/qemu-aarch64")
# An ELF file of 64 bits for machine 183, AArch64 (qemu, scripts/qemu-binfmt-conf.sh); F: qemu is opened now, outside of the root.
MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
NAMESPACE = """
set -eu
root=$1 format=$2 cpuinfo=$3 folder=$4
shift 4
if [ -n "$format" ]; then
  mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
  printf '%s' "$format" > /proc/sys/fs/binfmt_misc/register
fi
mount --rbind /proc "$root/proc"
mount --bind "$cpuinfo" "$root/proc/cpuinfo"
mount --rbind /dev "$root/dev"
exec chroot "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
"""
UNSHARE = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True)
class Emulator:
    """Programs below ``root`` see ``processor``; ``qemu`` is qemu-aarch64-static."""

    root: Path
    qemu: Path
    processor: Processor = field(default_factory=lambda: PROCESSORS["cortex-a72"])

    def run(
        self,
        words: Sequence[str],
        *,
        folder: str = "/root",
        environment: Mapping[str, str] | None = None,
        timeout_s: float = 600,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the root in ``folder`` there, and return what it printed (standard error included).

        Raises ``InputError`` with its last line where it fails and ``check`` is set, or where it takes too long; then it is ended with
        all that it started.
        """
        self.processor.write_sys(self.root)
        cpuinfo = self.root / "cpuinfo"
        cpuinfo.write_text(self.processor.cpuinfo())
        register = f":edgecnn-arm64:M::{MAGIC}:{MASK}:{self.qemu}:OCF"
        format_ = "" if REGISTERED.exists() else register
        given = {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "QEMU_CPU": self.processor.name,
            **(environment or {}),
        }
        try:
            done = subprocess.run(
                [*UNSHARE, "sh", "-c", NAMESPACE, "arm64", str(self.root), format_, str(cpuinfo), folder, *words],
                env={**given, "PATH": f"{os.environ.get('PATH', '')}:{given['PATH']}"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=timeout_s,
                check=False,
            )
        except FileNotFoundError as error:
            raise InputError(f"{error.filename} is not installed", "install util-linux") from error
        except subprocess.TimeoutExpired as error:
            raise InputError(
                f"{' '.join(words)[:100]} took more than {timeout_s:.0f} s", "try again on a quiet machine"
            ) from error
        if check and done.returncode:
            last = (done.stdout.strip().splitlines() or ["no message"])[-1]
            raise InputError(f"{' '.join(words)[:100]} ended with {done.returncode}: {last[:300]}", "see the lines above it")
        return done

    def check(self) -> None:
        """Raise ``InputError`` where this machine can't start arm64 programs."""
        done = self.run(["/bin/uname", "-m"], check=False, timeout_s=60)
        if done.stdout.strip() != "aarch64":
            last = (done.stdout.strip().splitlines() or ["no message"])[-1]
            raise InputError(
                f"arm64 programs can't be started here ({last[:200]})",
                "use Linux 6.7 or later with user namespaces, or install qemu-user-static where binfmt_misc is mounted",
            )
