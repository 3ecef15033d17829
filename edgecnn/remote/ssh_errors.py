"""What ``ssh`` says when it can't connect, as one line with what mends it."""

from __future__ import annotations

import re

from edgecnn.errors import InputError
from edgecnn.remote.address import BoardAddress

# Patterns of OpenSSH's messages (sshconnect.c, sshconnect2.c, packet.c), the problem and its fix; {0} is the address, {ssh} a command.
_KNOWN = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed",
        "{0} shows another host key than the one in known_hosts: it was installed anew, or it is another machine",
        "if it was installed anew, run: ssh-keygen -R {name}, then connect once by hand and compare the fingerprint",
    ),
    (
        r"No .* host key is known for|Host key verification failed",
        "the host key of {0} is not known yet",
        "connect once by hand, and compare the fingerprint before you accept it: {ssh}",
    ),
    (r"revoked", "the host key of {0} is marked as revoked in known_hosts", "ask who runs that machine"),
    (
        r"Permission denied|Too many authentication failures|No more authentication methods|no mutual signature",
        "{0} refused the login: no key of this user is accepted",
        "put your public key there: ssh-copy-id {dest}; keys with a passphrase need ssh-agent",
    ),
    (
        r"Could not resolve hostname|Name or service not known|Temporary failure in name resolution",
        "--host: there is no machine called {name}",
        "check the name, or give its IP address",
    ),
    (r"Connection refused", "{0} refuses connections", "check the port and that an SSH server runs there"),
    (
        r"timed out|No route to host|Network is unreachable|Host is down",
        "{0} does not answer",
        "check that it is switched on and in this network",
    ),
    (
        r"Bad configuration option|Bad owner or permissions|terminating, \d+ bad configuration",
        "the SSH configuration has an error",
        "see what this says: {ssh}",
    ),
    (
        r"kex_exchange_identification|Connection (closed|reset)|Broken pipe|banner exchange",
        "{0} closed the connection before the login",
        "check that an SSH server listens on that port and accepts more connections",
    ),
)
# failures that may pass, after a connection that was good
_PASSING = re.compile(
    r"refused|timed out|No route|unreachable|Host is down|kex_exchange|closed|reset|Broken pipe|banner|resolv|resolution"
)


def connection_error(address: BoardAddress, text: str) -> InputError:
    """The error for the messages ``text`` of an ``ssh`` that did not connect."""
    dest = f"{address.user}@{address.host}" if address.user else address.host
    port = "" if address.port is None else f"-p {address.port} "
    # known_hosts writes [host]:port where the port is not 22
    name = address.host if address.port in (None, 22) else f"'[{address.host}]:{address.port}'"
    values = {"ssh": f"ssh {port}{dest}", "dest": f"{port}{dest}", "name": name}
    for pattern, problem, fix in _KNOWN:
        if re.search(pattern, text, re.IGNORECASE):
            return InputError(problem.format(address, **values), fix.format(address, **values))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return InputError(f"no connection to {address}: {lines[-1] if lines else 'ssh ended'}", f"try it by hand: {values['ssh']}")


def may_pass(text: str) -> bool:
    """Whether a later attempt may succeed: the network or the machine is away, but keys and names are right."""
    return _PASSING.search(text) is not None and "host key" not in text.lower() and "Permission denied" not in text
