"""Generates the files to run edgecnn as a service: a systemd unit, a Containerfile, a compose.yaml.

Formats: systemd.service(5), systemd.exec(5) and systemd.resource-control(5); Containerfile(5); the Compose specification.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from edgecnn.errors import InputError
from edgecnn.runtime.sources.redact import redact_address

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
MEMORY = re.compile(r"[1-9][0-9]*[MG]")
PLAIN = re.compile(r"[\w%$@:=,./+?&-]+")
FILES = "/usr/local/share/edgecnn"
STOP_WITHIN_S = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Options of `edgecnn run` as a service.

    ``run`` are the arguments of `edgecnn run`, with absolute paths. ``program`` is the command that starts edgecnn. ``memory``
    ("512M", "2G") and ``cpus`` are limits. ``port`` of 127.0.0.1 serves the page and /health; a container installs ``extras`` of
    ``wheel`` and copies ``files``, the model files among the arguments, from the folder of the Containerfile. ``start`` is a command
    that runs in place of ``program`` with ``run``; ``folder`` makes it a service of the user, with this working folder, and not of the
    system. Raises ``InputError`` for a name, limit or argument that these files can't hold, and for an address with a password, because all
    users can read them.
    """

    name: str
    run: Sequence[str]
    program: Sequence[str] = ("/usr/local/bin/edgecnn",)
    user: str = ""
    memory: str = "1G"
    cpus: float = 2.0
    port: int = 8501
    extras: Sequence[str] = field(default=("live",))
    wheel: str = ""
    files: Sequence[str] = ()
    start: str = ""
    folder: str = ""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise InputError(f"--name: {self.name!r} is not a service name", "use small letters, digits, - and _")
        if not MEMORY.fullmatch(self.memory):
            raise InputError(f"--memory: {self.memory!r} is not a size", "write one such as 512M or 2G")
        if any(character in word for word in self.run for character in "\n\r\0"):
            raise InputError("an option contains a line break, which a unit can't hold", "remove it")
        for word in self.run:
            if "://" in word and redact_address(word) != word:
                env = f"/etc/edgecnn/{self.name}.env"
                raise InputError(
                    f"{redact_address(word)} contains a password, but all users can read these files",
                    f"write ${{NAME}} in its place and NAME=... into {env}, or leave --source out and write EDGECNN_SOURCE=... there",
                )

    @property
    def words(self) -> list[str]:
        """The arguments of `edgecnn run`, with --serve on 127.0.0.1 if they do not contain --serve."""
        serves = any(word.partition("=")[0] == "--serve" for word in self.run)
        return list(self.run) if serves else [*self.run, "--serve", f"127.0.0.1:{self.port}"]


def unit(service: Service) -> str:
    """Return the text of a systemd unit with restarts, watchdog, sandbox and limits."""
    words = (service.start,) if service.start else (*service.program, "run", *service.words, "--log", "json")
    command = " ".join(_escaped(word) for word in words)
    of_user = bool(service.folder)
    lines = [
        "[Unit]",
        f"Description=edgecnn {service.name}",
        # the systemd of a user does not know the network's target
        *([] if of_user else ["After=network-online.target", "Wants=network-online.target"]),
        # 0 disables the start limit: systemd would give up after five quick failures, for example without network.
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=notify",
        "NotifyAccess=main",
        f"ExecStart={command}",
        "# addresses with passwords belong in this file, readable by root alone: EDGECNN_SOURCE=rtsp://...",
        # The leading "-" allows the file to be missing.
        f"EnvironmentFile=-{'%h/.config' if of_user else '/etc'}/edgecnn/{service.name}.env",
        "Restart=always",
        "RestartSec=5",
        # A run that sends no WATCHDOG=1 for this long is killed and restarted.
        "WatchdogSec=60",
        "TimeoutStartSec=120",
        f"TimeoutStopSec={STOP_WITHIN_S}",
        "KillSignal=SIGTERM",
        # 143 is 128 + SIGTERM: the exit code after `systemctl stop` counts as success.
        "SuccessExitStatus=143",
        f"MemoryMax={service.memory}",
        f"CPUQuota={round(service.cpus * 100)}%",
        "TasksMax=256",
        *([f"WorkingDirectory={_escaped(service.folder)}", "NoNewPrivileges=yes"] if of_user else _of_system(service)),
        "",
        "[Install]",
        f"WantedBy={'default' if of_user else 'multi-user'}.target",
    ]
    return "\n".join(lines) + "\n"


def _of_system(service: Service) -> list[str]:
    """User, folders and sandbox of a service of the system; the systemd of a user may set none of them."""
    return [
        f"User={service.user}" if service.user else "DynamicUser=yes",
        # The devices /dev/video* belong to this group.
        "SupplementaryGroups=video",
        f"StateDirectory=edgecnn/{service.name}",
        # A dynamic user has no home folder; without a cache each start loads the model once more, in a helper.
        f"CacheDirectory=edgecnn/{service.name}",
        f"Environment=XDG_CACHE_HOME=/var/cache/edgecnn/{service.name}",
        # ProtectSystem=strict makes other folders read-only, so relative output paths must lead here.
        f"WorkingDirectory=/var/lib/edgecnn/{service.name}",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        "PrivateTmp=yes",
        "ProtectKernelTunables=yes",
        "ProtectControlGroups=yes",
        "RestrictSUIDSGID=yes",
    ]


def containerfile(service: Service) -> str:
    """Return the text of a Containerfile (Dockerfile): base install and extras, without torch, not as root, with health check."""
    extras = f"[{','.join(service.extras)}]" if service.extras else ""
    # The model files have other paths in the image than on this machine.
    inside = {path: f"{FILES}/{path.rpartition('/')[2]}" for path in service.files}
    words = [inside.get(word, word) for word in service.words]
    command = ", ".join(_quoted(word) for word in ("edgecnn", "run", *words, "--log", "json"))
    copies = "".join(f"COPY {path.rpartition('/')[2]} {FILES}/\n" for path in service.files)
    check = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{service.port}/health', timeout=3)"
    return f"""FROM docker.io/library/python:3.12-slim
COPY {service.wheel} /tmp/
RUN pip install --no-cache-dir "/tmp/{service.wheel}{extras}" && rm /tmp/{service.wheel} \\
 && useradd --system --create-home --home-dir /data --groups video edgecnn
{copies}USER edgecnn
WORKDIR /data
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", "{check}"]
ENTRYPOINT [{command}]
"""


def compose(service: Service) -> str:
    """Return the text of a compose.yaml that builds and runs the Containerfile with restarts and limits."""
    return f"""services:
  {service.name}:
    build:
      context: .
      dockerfile: Containerfile
    restart: unless-stopped
    stop_grace_period: {STOP_WITHIN_S}s
    init: true
    read_only: true
    tmpfs: [/tmp]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    env_file:
      - path: {service.name}.env
        required: false
    volumes:
      - data:/data
    deploy:
      resources:
        limits:
          cpus: "{service.cpus:g}"
          memory: {service.memory}
volumes:
  data: {{}}
"""


def _escaped(word: str) -> str:
    """Escape a word of ExecStart=: % and $ are doubled, quotes are as in C (systemd.service(5), "Command lines")."""
    word = word.replace("%", "%%").replace("$", "$$")
    return word if PLAIN.fullmatch(word) else _quoted(word)


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
