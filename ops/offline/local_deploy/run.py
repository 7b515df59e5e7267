"""Local deploy of a stack."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import docker
import docker.errors

from components.docker.connection import ConfigFilesError, connect_to
from components.docker.engines import Engine
from ops.offline import program
from ops.offline.local_deploy import preflight
from ops.offline.local_deploy.creator import Clients, LocalCreator, Report
from ops.offline.local_deploy.errors import LocalDeployError, docker_message
from ops.offline.local_deploy.plan import CONTAINER, Plan, image_of, left_out
from ops.offline.local_deploy.removal import down

# Left out automatically if its image is missing: the stack monitors and alerts without it.
DISPENSABLE = "grafana"
# A container waits for its health in a thread of its own, and nothing else may wait for that.
THREADS = 32


@dataclass(frozen=True)
class Result:
    """Running stack: `urls` by service, for this machine, and what was `left_out`."""

    urls: dict[str, str]
    left_out: tuple[str, ...]
    registrations: tuple[program.Registration, ...]


def up(
    stack: str,
    config: program.StackConfig,
    report: Report,
    *,
    leave_out: frozenset[str] = frozenset(),
) -> Result:
    """Makes the stack and waits until all of it is healthy; a second `up` replaces containers and
    networks and keeps the volumes.

    `leave_out` names services to leave out, with all that depends on them; Grafana is left out
    where there is no image of it. `report` gets lines of progress, from several threads. Raises
    ProgramError before anything is touched, or LocalDeployError (which is one) also while the stack
    is being made: `down` then removes what there is of it.
    """
    registrations = tuple(program.run(stack, config))
    plan = Plan(stack, registrations, left_out(registrations, leave_out))
    with contextlib.ExitStack() as opened:
        clients = {name: opened.enter_context(_client(one)) for name, one in plan.engines.items()}
        if not _has_image(clients, registrations, DISPENSABLE):
            everything_left_out = left_out(registrations, leave_out | {DISPENSABLE})
            plan = replace(plan, left_out=everything_left_out)
        if plan.left_out:
            report(f"left out: {', '.join(plan.left_out_names)}")
        try:
            for name, client in clients.items():
                preflight.check(client, plan.on(name))
            for client in clients.values():
                down(client, stack, volumes=False)
        except docker.errors.DockerException as error:
            raise LocalDeployError(f"Docker: {docker_message(error)}") from None
        made = _make(clients, config, plan, report)
    return Result(_urls(plan, config), plan.left_out_names, made)


@contextlib.contextmanager
def _client(engine: Engine) -> Iterator[docker.DockerClient]:
    try:
        client = connect_to(engine.props)
    except ConfigFilesError as error:
        raise LocalDeployError(str(error)) from None
    with contextlib.closing(client):
        yield client


def _make(
    clients: Clients, config: program.StackConfig, plan: Plan, report: Report
) -> tuple[program.Registration, ...]:
    creator = LocalCreator(clients, plan.left_out, report)
    with _patient_loops(), _without_repeated_warnings():
        try:
            return tuple(program.run(plan.stack, config, creator))
        except program.ProgramError:
            if creator.failure:
                raise creator.failure from None
            raise
        finally:
            creator.stop()


def _has_image(
    clients: Clients, registrations: tuple[program.Registration, ...], service: str
) -> bool:
    found = image_of(registrations, service)
    if found is None:
        return False
    image, provider = found
    try:
        clients[provider].images.get(image)
    except docker.errors.ImageNotFound:
        return False
    return True


def _urls(plan: Plan, config: program.StackConfig) -> dict[str, str]:
    settings = config.settings(plan.stack)
    ports = {
        port["external"]
        for container in plan.inputs(CONTAINER)
        for port in container.get("ports") or []
    }
    return {
        service: settings.local_url(service)
        for service, port in settings.published.items()
        if port in ports
    }


class _PatientLoops(asyncio.DefaultEventLoopPolicy):
    """Event loops with threads enough, which keep quiet about what a failure leaves unfinished."""

    def __init__(self) -> None:
        super().__init__()
        self.pools: list[ThreadPoolExecutor] = []

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        loop = super().new_event_loop()
        pool = ThreadPoolExecutor(THREADS)
        self.pools.append(pool)
        loop.set_default_executor(pool)
        loop.set_exception_handler(lambda _loop, _context: None)
        return loop


@contextlib.contextmanager
def _patient_loops() -> Iterator[None]:
    before, loops = asyncio.get_event_loop_policy(), _PatientLoops()
    asyncio.set_event_loop_policy(loops)
    # What a thread brings back to a loop that a failure has closed is of no interest.
    late_results = logging.getLogger("concurrent.futures")
    late_results.disabled = True
    try:
        yield
    finally:
        for pool in loops.pools:
            pool.shutdown()
        late_results.disabled = False
        asyncio.set_event_loop_policy(before)


@contextlib.contextmanager
def _without_repeated_warnings() -> Iterator[None]:
    """Drop the program's repeated warnings: the run that made the plan has printed them."""

    def not_a_warning(record: logging.LogRecord) -> bool:
        return record.levelno != logging.WARNING

    logger = logging.getLogger()
    logger.addFilter(not_a_warning)
    try:
        yield
    finally:
        logger.removeFilter(not_a_warning)
