"""Images of MariaDB and mysqld_exporter, made of Debian's packages."""

from __future__ import annotations

import docker

from ops.offline import images
from ops.offline.images.recipes import RECIPES, OwnedDirectory, Recipe, Tools
from tests.live.stack import say

# What the script that makes MariaDB's system tables calls.
TOOLS = ("basename", "dirname", "expr")
EXPORTER = Recipe(
    packages=("prometheus-mysqld-exporter",),
    tag_package="prometheus-mysqld-exporter",
    tools=Tools.BUSYBOX,
    user="nobody",
    uid=65534,
    entrypoint=("/bin/mysqld_exporter",),
    links={"/usr/bin/mysqld_exporter": "prometheus-mysqld-exporter"},
)
MARIADB = Recipe(
    packages=("mariadb-server-core", "mariadb-client-core"),
    tag_package="mariadb-server-core",
    tools=Tools.SLIM,
    user="mysql",
    uid=999,
    command=("mariadbd",),
    directories=(OwnedDirectory("/var/lib/mysql"), OwnedDirectory("/run/mysqld")),
    links={f"/usr/local/bin/{name}": "/usr/bin/busybox" for name in TOOLS},
)


def make(client: docker.DockerClient) -> dict[str, str]:
    """Make what is missing; return the tags of `mysqld-exporter` and `mariadb`."""
    RECIPES.update({"mysqld-exporter": EXPORTER, "mariadb": MARIADB})
    return images.ensure(("mysqld-exporter", "mariadb"), client, say)
