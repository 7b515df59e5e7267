"""Docker Engines of the test's own: machines that can lose their power, on a network of their own.

Each is a `dockerd` with its own containerd in PID, network, mount, IPC and UTS namespaces of its
own, its data on an ext4 file system of its own. This machine's engine, its iptables and its
processes are not touched. Whatever ends the test ends them: their first process reads a pipe that
only the test holds open, and the kernel takes the namespaces' processes, mounts and interfaces
with it. Names are asked of this machine, which knows none.

What they share with this machine is the kernel, its clock, and the page cache below the disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pytest
import requests

from tests.live.engine_disk import DISK_GIBIBYTES, EXT4_IOC_SHUTDOWN, MOUNTS, NOLOGFLUSH
from tests.live.names import no_names
from tests.live.namespaces import (
    NoEngineError,
    entering,
    first_process,
    inside,
    namespace,
    remove_cgroup,
    run,
)
from tests.live.stack import eventually
from tests.live.subnets import RANGE, subnet

# Of the containers within each; no one outside sees them.
POOL = "base=10.215.0.0/16,size=24"
TOOLS = ("dockerd", "containerd", "docker", "ip", "iptables", "mkfs.ext4", "losetup", "mount")
TOOLS += ("nsenter", "unshare")
START_SECONDS = 60
STOP_SECONDS = 60
CGROUPS = Path("/sys/fs/cgroup")


def obstacle() -> str | None:
    """Return why no second engine can run here, or None."""
    if platform.system() != "Linux":
        return f"a Docker Engine of the test's own needs Linux, this is {platform.system()}"
    if os.geteuid() != 0:
        return "a Docker Engine of the test's own needs root"
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        return f"a Docker Engine of the test's own needs {', '.join(missing)}"
    try:
        with namespace("", network_only=True):
            return None
    except NoEngineError as error:
        return f"no namespaces for a Docker Engine of the test's own: {error}"


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """An empty network; skips the test, with the reason, where there can be none.

    REQUIRE_DOCKER=1 does not make that a failure: a CI that only has a container to run in is no
    less an engine for the other tests.
    """
    if reason := obstacle():
        pytest.skip(reason)
    with (
        tempfile.TemporaryDirectory(prefix="vitalstream-engines-") as folder,
        subnet() as third,
        namespace("ip link add lan type bridge\nip link set lan up", network_only=True) as switch,
    ):
        found = Network(Path(folder), f"{RANGE}.{third}", switch)
        found.plug(f"vs{third}h", None, found.address)
        with no_names(found.address), contextlib.ExitStack() as stack:
            found.machines = stack
            yield found


@dataclass
class Network:
    """Machines that reach each other, and this machine, by address. `address` is this machine's."""

    folder: Path
    subnet: str
    switch: subprocess.Popen[str]
    count: int = 1
    machines: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def address(self) -> str:
        return f"{self.subnet}.1"

    def machine(self, images: Sequence[str] = (), disk_of: Machine | None = None) -> Machine:
        """One more, its engine running. It has these images of this machine's engine, or a copy of
        the disk of another machine (that must be off), which is faster.
        """
        self.count += 1
        folder = self.folder / f"m{self.count}"
        folder.mkdir()
        made = Machine(self, folder, f"{self.subnet}.{self.count}")
        if disk_of:
            assert not disk_of.is_on, "a disk in use cannot be copied"
            run("cp", "--sparse=always", str(disk_of.disk), str(made.disk))
        else:
            with made.disk.open("wb") as file:
                file.truncate(DISK_GIBIBYTES * 2**30)
            run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1", str(made.disk))
        self.machines.callback(made.remove)
        made.boot()
        if images:
            made.load(images)
        return made

    def unplug(self, name: str) -> None:
        """Takes a machine's cable out, which the kernel does too, a while after the machine."""
        with contextlib.suppress(NoEngineError):
            inside(self.switch, "ip", "link", "delete", f"{name}o")

    def plug(self, name: str, there: subprocess.Popen[str] | None, address: str) -> None:
        """Connect the switch to a machine, or to this one."""
        # An interface's name has 15 characters at most.
        inner, outer = f"{name}i", f"{name}o"
        # The same after a boot, as a machine's is: the others remember it for half a minute.
        hardware = "02:00:{:02x}:{:02x}:{:02x}:{:02x}".format(*map(int, address.split(".")))
        run(
            *("ip", "link", "add", inner, "address", hardware),
            *("type", "veth", "peer", "name", outer),
        )
        run("ip", "link", "set", outer, "netns", str(first_process(self.switch)))
        inside(self.switch, "ip", "link", "set", outer, "master", "lan", "up")
        here: list[str] = []
        if there:
            run("ip", "link", "set", inner, "netns", str(first_process(there)))
            here = entering(there)
        run(*here, "ip", "address", "add", f"{address}/24", "dev", inner)
        run(*here, "ip", "link", "set", inner, "up")


@dataclass
class Machine:
    """Machine with a Docker Engine. `address` is where the others, and this machine, reach what
    its containers publish there; `url` is its engine's, for `vitalstream:dockerHost`.
    """

    network: Network
    folder: Path
    address: str
    namespace: subprocess.Popen[str] | None = None
    daemon: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    @property
    def disk(self) -> Path:
        return self.folder / "disk"

    @property
    def log(self) -> Path:
        """Log of dockerd and containerd, of all starts."""
        return self.folder / "dockerd.log"

    @property
    def is_on(self) -> bool:
        return self.namespace is not None

    @property
    def cable(self) -> str:
        third, last = self.address.split(".")[2:]
        return f"vs{third}m{last}"

    @property
    def cgroup(self) -> str:
        return f"vitalstream-{self.folder.parent.name}-{self.folder.name}"

    def client(self) -> docker.DockerClient:
        """Return a new client, which the caller closes."""
        return docker.DockerClient(base_url=self.url, timeout=120)

    def run(self, *command: str, timeout: float = 60) -> str:
        """Run a command of this machine inside that one. Raises CalledProcessError."""
        assert self.namespace, "the machine is off"
        return inside(self.namespace, *command, timeout=timeout)

    def load(self, images: Sequence[str]) -> None:
        """Copies images of this machine's engine into this one."""
        save = subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE)
        try:
            run("docker", "--host", self.url, "load", "--quiet", stdin=save.stdout, timeout=600)
        finally:
            assert save.stdout
            save.stdout.close()
            assert save.wait(60) == 0, f"docker save {' '.join(images)} failed"

    def boot(self) -> None:
        """Turns it on, and waits for its engine."""
        assert not self.is_on, "the machine is on"
        # The kernel lets go of the disk a moment after its last process.
        assert eventually(lambda: not run("losetup", "-j", str(self.disk)), 30), "disk is in use"
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        stack = contextlib.ExitStack()
        mounts = MOUNTS.format(disk=self.disk, data=data, names=self.network.address)
        self.namespace = stack.enter_context(namespace(mounts))
        self.end = stack.pop_all().close
        self.network.plug(self.cable, self.namespace, self.address)
        self.start_engine()

    def start_engine(self, *options: str) -> None:
        """Start the engine with more options of dockerd, such as `--live-restore`."""
        assert self.namespace
        command = ["dockerd", f"--host={self.url}", f"--data-root={self.folder}/data/engine"]
        command += ["--exec-root=/run/engine", "--pidfile=/run/engine.pid"]
        command += ["--exec-opt=native.cgroupdriver=cgroupfs", f"--cgroup-parent=/{self.cgroup}"]
        command += [f"--default-address-pool={POOL}", "--shutdown-timeout=45", *options]
        with self.log.open("ab") as log:
            self.daemon = subprocess.Popen(
                [*entering(self.namespace), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        assert eventually(self._answers, START_SECONDS), self.last_words()

    def stop_engine(self) -> None:
        """Stop the engine as `systemctl stop docker` does: containers get SIGTERM first."""
        assert self.daemon
        self.run("sh", "-c", "kill -TERM $(cat /run/engine.pid)")
        self.daemon.wait(STOP_SECONDS)
        self.daemon = None

    def kill_engine(self) -> None:
        """`dockerd` alone, as the kernel does when memory is short; containers live on."""
        assert self.daemon
        self.run("sh", "-c", "kill -KILL $(cat /run/engine.pid)")
        self.daemon.wait(STOP_SECONDS)
        self.daemon = None
        self.run("rm", "-f", "/run/engine.pid")

    def sync(self) -> None:
        """Flush all writes to the disk."""
        self.run("sync", "--file-system", f"{self.folder}/data")

    def power_cut(self) -> None:
        """Stop everything at once; writes that are not on the disk are lost."""
        assert self.namespace
        data = os.open(f"/proc/{first_process(self.namespace)}/root{self.folder}/data", os.O_RDONLY)
        try:
            fcntl.ioctl(data, EXT4_IOC_SHUTDOWN, NOLOGFLUSH.to_bytes(4, "little"))
        finally:
            os.close(data)
        self.turn_off()

    def turn_off(self) -> None:
        """Kills everything at once; what was written is on the disk in the end. No-op when off."""
        if self.namespace is None:
            return
        self.end()
        self.namespace = None
        self.network.unplug(self.cable)
        if self.daemon:
            self.daemon.wait(STOP_SECONDS)
            self.daemon = None
        for hierarchy in (CGROUPS, *CGROUPS.glob("*/")):
            if (hierarchy / self.cgroup).is_dir():
                remove_cgroup(hierarchy / self.cgroup)

    def remove(self) -> None:
        self.turn_off()
        assert eventually(lambda: not run("losetup", "-j", str(self.disk)), 30), "disk is in use"

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else "no log"

    def _answers(self) -> bool:
        assert self.daemon
        assert self.daemon.poll() is None, f"dockerd has ended: {self.last_words()}"
        try:
            with contextlib.closing(self.client()) as client:
                return bool(client.ping())
        except (docker.errors.DockerException, requests.RequestException, OSError):
            return False
