"""Keep containers isolated from the host: docs/decisions/0002-hardening.md."""

from __future__ import annotations

from collections.abc import Iterator

from policy.subject import Subject

DECISION = "docs/decisions/0002-hardening.md"
DOCKER_SOCKET = "docker.sock"
NAMESPACES = {"networkMode": "network", "pidMode": "PID", "ipcMode": "IPC", "usernsMode": "user"}
READ_ONLY_ROOT = "the host's / (read-only)"
# Access and capabilities that decisions 2 and 21 allow, by container.
ALLOWED = {
    "node-exporter": frozenset({"the host's PID namespace", READ_ONLY_ROOT}),
    "cadvisor": frozenset({"the device /dev/kmsg (r)", "the host's /sys/fs/cgroup (read-only)"}),
}
ALLOWED_CAPABILITIES = {"cadvisor": frozenset({"CAP_SYSLOG"})}


def not_privileged(subject: Subject) -> Iterator[str]:
    if not subject.is_a("Container"):
        return
    props = subject.props
    if props.get("privileged"):
        yield f"`privileged` is on, which is root on the host: leave it out ({DECISION})."
    adds = (props.get("capabilities") or {}).get("adds") or ()
    added = sorted(set(adds) - ALLOWED_CAPABILITIES.get(subject.name, frozenset()))
    if added:
        yield (
            f"Capabilities are added ({', '.join(added)}): drop ALL and add none. A service that "
            f"cannot do without is an exception to be reasoned in {DECISION}."
        )
    for option in props.get("securityOpts") or ():
        if option.endswith("unconfined"):
            yield f"`{option}` takes Docker's own profile away: leave it out."


def no_way_into_the_host(subject: Subject) -> Iterator[str]:
    for access, fix in _accesses(subject):
        # Names with a host at the end count too: node-exporter-monitor-2.
        known = next((one for one in ALLOWED if f"{subject.name}-".startswith(f"{one}-")), "")
        if access not in ALLOWED.get(known, ()):
            yield f"It has {access}: {fix}"


def _accesses(subject: Subject) -> Iterator[tuple[str, str]]:
    """Yield each access to the host that a resource has, and how to remove it."""
    if subject.is_a("Volume") and "bind" in (subject.props.get("driverOpts") or {}).get("o", ""):
        yield "a folder of the host for a volume", "leave `driverOpts` out and let Docker keep it."
    if not subject.is_a("Container"):
        return
    props = subject.props
    for key, namespace in NAMESPACES.items():
        mode = props.get(key) or ""
        if mode == "host" or mode.startswith("container:"):
            whose = "the host's" if mode == "host" else "another container's"
            yield f"{whose} {namespace} namespace", f"leave `{key}` out ({DECISION})."
    for device in props.get("devices") or ():
        permissions = device.get("permissions") or "rwm"
        yield f"the device {device.get('hostPath')} ({permissions})", "leave `devices` out."
    for source, read_only in _bind_mounts(subject):
        if DOCKER_SOCKET in source:
            yield (
                f"Docker's socket ({source})",
                "whoever has it is root on the host. Leave the mount out.",
            )
        else:
            yield (
                f"the host's {source} ({'read-only' if read_only else 'writable'})",
                "keep data in a named volume, and give it files through ConfigFiles.",
            )


def _bind_mounts(subject: Subject) -> Iterator[tuple[str, bool]]:
    for mount in subject.props.get("mounts") or ():
        if mount.get("type") == "bind":
            yield mount.get("source", ""), bool(mount.get("readOnly"))
    for volume in subject.props.get("volumes") or ():
        if path := volume.get("hostPath"):
            yield path, bool(volume.get("readOnly"))
