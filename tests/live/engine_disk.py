"""Disk of a machine with its own Docker Engine: size, mounts, and the ioctl that stops it."""

from __future__ import annotations

DISK_GIBIBYTES = 6
# _IOR('X', 125, __u32) of linux/fs.h: the file system ends as it is, with nothing written any more.
EXT4_IOC_SHUTDOWN, NOLOGFLUSH = 0x8004587D, 2

# /etc/docker has the identity and the settings of this machine's engine.
MOUNTS = """
mount -o loop {disk} {data}
mkdir -p {data}/engine {data}/etc /etc/docker
mount --bind {data}/etc /etc/docker
echo nameserver {names} > {data}/resolv.conf
names=$(readlink -f /etc/resolv.conf)
[ -e "$names" ] || {{ mkdir -p "$(dirname "$names")"; touch "$names"; }}
mount --bind {data}/resolv.conf "$names"
"""
