"""Interruptions, data loss and configuration reloads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from components.catalog import replicas
from ops.review.diff import file_changes
from ops.review.diff.comparison import Comparison, Op, Step
from ops.review.diff.dashboards import field_of
from ops.review.diff.plan import NEVER_APPLIED
from ops.review.diff.report import Field, Item, Kind, Line, Mark, Quote, quoted
from ops.review.diff.snapshot import (
    CONFIG_FILES,
    CONTAINER,
    DOCKER_PROVIDER,
    FOLDER,
    GRAFANA_PROVIDER,
    VOLUME,
    Address,
    Resource,
    moved,
    service_of,
)

_EVERYWHERE = ("0.0.0.0", "::", "", None)
# What its absence means, by service or by the end of its name.
_ABSENT = {
    "prometheus": "nothing is scraped or evaluated meanwhile, and an alert that waits for a `for` "
    "of up to 10m waits again from the start",
    "alertmanager": "no message is sent meanwhile; Prometheus repeats what still fires",
    "grafana": "no dashboard can be opened meanwhile",
    "-exporter": "its metrics have a gap, and its target counts as down",
}


def items(comparison: Comparison) -> list[Item]:
    """Return all items, the most severe first."""
    found = [
        *_each(comparison, VOLUME, _volume),
        *_protection(comparison),
        *_each(comparison, DOCKER_PROVIDER, _docker),
        *_each(comparison, FOLDER, _folder),
        *_each(comparison, CONTAINER, _container),
        *_each(comparison, CONFIG_FILES, file_changes.items),
        *_each(comparison, GRAFANA_PROVIDER, _grafana),
    ]
    return sorted(found, key=lambda item: _LOUDEST.index(item.mark))


_LOUDEST = (Mark.DANGER, Mark.INTERRUPTS, Mark.WEAKER, Mark.CAUTION, Mark.NONE)
_Describe = Callable[[Comparison, Address, Step], Iterator[Item]]


def _each(comparison: Comparison, kind: str, describe: _Describe) -> Iterator[Item]:
    for address, step in comparison.of_type(kind):
        yield from describe(comparison, address, step)


def _volume(comparison: Comparison, address: Address, step: Step) -> Iterator[Item]:
    old = comparison.before.resources.get(address)
    if old is None or step.op not in (Op.DELETE, Op.REPLACE):
        return
    name = str(old.inputs.get("name", address.name))
    users = [service_of(found) for found in _mounting(comparison, name)]
    kept_by = ("mounted by ", *quoted(users)) if users else ("mounted by nothing here",)
    lost = "it is protected: `up` refuses, and changes nothing"
    why: tuple[Line, ...] = ((lost if old.protect else "all that is in it is lost",),)
    verb = "deleted" if step.op is Op.DELETE else "deleted and recreated"
    new = comparison.after.resources.get(address)
    if new and moved(old, new):
        verb = f"deleted on {old.host} and recreated, empty, on {new.host}"
        why = (*why, ("what is in it does not move with its service",))
    line: Line = ("volume ", Quote(name), f" would be {verb}" if old.protect else f" is {verb}")
    fields = _fields(comparison, address) if step.op is Op.REPLACE else ()
    yield Item(Kind.REMOVED, name, (*line, ", ", *kept_by), Mark.DANGER, why, fields)


def _mounting(comparison: Comparison, volume: str) -> Iterator[Resource]:
    for container in comparison.before.of_type(CONTAINER):
        mounts = container.inputs.get("mounts") or ()
        if any(isinstance(m, Mapping) and m.get("source") == volume for m in mounts):
            yield container


def _protection(comparison: Comparison) -> Iterator[Item]:
    for address, new in sorted(comparison.after.resources.items()):
        old = comparison.before.resources.get(address)
        if old is None or old.protect == new.protect:
            continue
        what: Line = (f"{address.kind.lower()} ", Quote(address.name))
        line = (*what, " loses its protection" if old.protect else " is now protected")
        why: Line = ("from then on a preview or a destroy may delete it",)
        yield Item.judged(
            Kind.CHANGED, address.name, line, [why] if old.protect else [], mark=Mark.DANGER
        )


def _docker(comparison: Comparison, address: Address, step: Step) -> Iterator[Item]:
    fields = _fields(comparison, address)
    if step.op is not Op.UPDATE or not any(field.name == "host" for field in fields):
        return
    why: Line = ("containers and data on the old one stay there, unmanaged",)
    line: Line = ("the stack goes to another Docker Engine",)
    name = "dockerHost"
    if address.name != "docker":
        host = address.name.removeprefix("docker-")
        name, line = f"hosts.{host}", ("the host ", Quote(host), " is another Docker Engine")
    yield Item(Kind.CHANGED, name, line, Mark.DANGER, (why,), fields)


def _folder(comparison: Comparison, address: Address, step: Step) -> Iterator[Item]:
    if step.op in (Op.DELETE, Op.REPLACE):
        why: Line = ("every dashboard in it is deleted too, also manually created ones",)
        line: Line = ("Grafana's folder ", Quote(address.name), f" is {step.op}d")
        fields = _fields(comparison, address) if step.op is Op.REPLACE else ()
        yield Item(Kind.REMOVED, address.name, line, Mark.DANGER, (why,), fields)


def _container(comparison: Comparison, address: Address, step: Step) -> Iterator[Item]:
    old, new = comparison.both(address)
    container = new or old
    assert container is not None
    service = service_of(container)
    match step.op:
        case Op.CREATE:
            yield Item(Kind.ADDED, service, ("container ", Quote(service), " added"))
        case Op.DELETE:
            line: Line = ("container ", Quote(service), " removed for good")
            yield Item(Kind.REMOVED, service, line, Mark.INTERRUPTS)
        case Op.REPLACE:
            yield _replaced(comparison, address, step, service)
        case Op.UPDATE:
            yield _updated(comparison, address, step, service)


def _replaced(comparison: Comparison, address: Address, step: Step, service: str) -> Item:
    new = comparison.after.resources[address]
    line: list[str | Quote] = ["container ", Quote(service), " is replaced"]
    old = comparison.before.resources[address]
    reasons = tuple(name for name in step.replaced_for if name != "provider")
    if moved(old, new):
        line += [f": it moves from {old.host} to {new.host}"]
    if reasons:
        line += [", because of ", *quoted(reasons)]
    if step.because_of:
        also = " and because" if reasons else ", because"
        line += [f"{also} network ", Quote(step.because_of), " is"]
    stop, start = new.inputs.get("destroyGraceSeconds"), new.inputs.get("waitTimeout")
    why: list[Line] = []
    if stop is not None and start is not None:
        why.append((f"down for at most {stop} s to stop and {start} s to be healthy",))
    beside = sorted(_beside(comparison, service))
    if beside:
        why.append(("meanwhile ", *quoted(beside), " go on" if len(beside) > 1 else " goes on"))
    else:
        why += [(words,) for name, words in _ABSENT.items() if service.endswith(name)]
    why += [("it was changed manually: ", *quoted(step.drift))] if step.drift else []
    why += [("it reads other secret files",)] if _secrets_change(comparison, new) else []
    return Item(
        Kind.CHANGED, service, tuple(line), Mark.CAUTION if beside else Mark.INTERRUPTS,
        (*why, *_exposed(comparison, address)),
        _fields(comparison, address),
    )  # fmt: skip


def _updated(comparison: Comparison, address: Address, step: Step, service: str) -> Item:
    fields = _fields(comparison, address)
    names = {change.path[0] for change in comparison.input_changes(address)} | set(step.drift)
    kept = sorted(str(name) for name in names & NEVER_APPLIED)
    line: Line = ("container ", Quote(service), " is changed while it runs: no restart")
    never = ": reported as changed and never applied; it keeps the old value until it is replaced"
    why: list[Line] = [(*quoted(kept), never)] if kept else []
    why += [("it was changed manually: ", *quoted(step.drift))] if step.drift else []
    mark = Mark.CAUTION if kept else Mark.NONE
    return Item(Kind.CHANGED, service, line, mark, tuple(why), fields)


def _beside(comparison: Comparison, service: str) -> set[str]:
    """Return the other replicas, which are updated sequentially."""
    before, after = (
        {service_of(found) for found in side.of_type(CONTAINER)}
        for side in (comparison.before, comparison.after)
    )
    same = replicas.base(service)
    # Of exporters, that of another host looks at another host.
    if same not in replicas.MOST:
        return set()
    return {name for name in before & after if replicas.base(name) == same} - {service}


def _exposed(comparison: Comparison, address: Address) -> Iterator[Line]:
    """Report ports that are now published on all interfaces."""
    old, new = (set(_ports(r)) for r in comparison.both(address))
    for ip, port in sorted(new - old, key=str):
        if ip in _EVERYWHERE:
            yield (f"port {port} is published on every interface of the host",)


def _ports(resource: Resource | None) -> list[tuple[Any, Any]]:
    found = resource.inputs.get("ports") if resource else None
    return [(p.get("ip"), p.get("external")) for p in found or () if isinstance(p, Mapping)]


def _secrets_change(comparison: Comparison, container: Resource) -> bool:
    for address, _ in comparison.of_type(CONFIG_FILES):
        new = comparison.after.resources.get(address)
        if new and new.inputs.get("container") == container.inputs.get("name"):
            return any(one.path[0] == "secret_files" for one in comparison.input_changes(address))
    return False


def _grafana(comparison: Comparison, address: Address, step: Step) -> Iterator[Item]:
    if step.op is Op.UPDATE and (fields := _fields(comparison, address)):
        line: Line = ("Grafana's objects are made by another address or login",)
        yield Item(Kind.CHANGED, "grafana", line, fields=fields)


def _fields(comparison: Comparison, address: Address) -> tuple[Field, ...]:
    return tuple(field_of(one, one.where) for one in comparison.input_changes(address))
