"""``python -m ops.offline.images [SERVICE...]``: make local images and print their tags as JSON."""

from __future__ import annotations

import argparse
import json
import sys

import docker
import docker.errors

from ops.offline.images import SERVICES, LocalImagesError, ensure


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ops.offline.images", description=__doc__)
    parser.add_argument(
        "services", nargs="*", default=SERVICES, metavar="SERVICE", help=f"of {', '.join(SERVICES)}"
    )
    parser.add_argument(
        "--rebuild", action="store_true", help="make images anew that are there already"
    )
    arguments = parser.parse_args()
    try:
        tags = ensure(
            arguments.services,
            docker.from_env(),
            lambda line: print(line, file=sys.stderr, flush=True),
            rebuild=arguments.rebuild,
        )
    except (LocalImagesError, docker.errors.DockerException) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(tags, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
