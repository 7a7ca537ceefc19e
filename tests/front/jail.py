"""A root file system for a test: read-only with few exceptions, for commands of an unprivileged user.

It replaces a container without a registry, and the file system and the user that systemd gives to a unit.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

# The directories of the machine that programs and libraries need; in /etc, only the C library's files.
MACHINE = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/proc", "/dev")
FILES = ("/etc/hosts", "/etc/ld.so.cache", "/etc/localtime", "/etc/nsswitch.conf", "/etc/passwd", "/etc/group")
# The range from which systemd takes the users of DynamicUser=.
USER = 61_500
SHARED_MEMORY = "/dev/shm"
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Jail:
    """The mounts: ``binds`` are read-only, by path in the jail; ``scratch`` are writable directories in memory.

    ``scratch`` has the size of each in MiB.
    """

    binds: Mapping[str, Path]
    scratch: Mapping[str, int]
    user: int = USER
    groups: Sequence[int] = ()
    umask: str = "0077"
    variables: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def run(self, *command: str, cwd: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command in the jail until the block ends; yield its process. The output goes to that of the tests."""
        with tempfile.TemporaryDirectory(prefix="jail") as root:
            words = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", self._script(root, cwd, command)]
            process = subprocess.Popen(words)
            try:
                yield process
            finally:
                process.terminate()
                process.wait(20)

    def _script(self, root: str, cwd: str, command: Sequence[str]) -> str:
        lines = [f"export PATH={SYSTEM_PATH}", f"mount -t tmpfs -o mode=755 tmpfs {root}"]
        for place in MACHINE:
            if Path(place).is_symlink():
                lines.append(f"ln -s {Path(place).readlink()} {root}{place}")
            elif Path(place).exists():
                lines += _bind(root, place, Path(place))
        for place, size in {SHARED_MEMORY: 64, **self.scratch}.items():
            lines += [f"mkdir -p {root}{place}", f"mount -t tmpfs -o mode=1777,size={size}m tmpfs {root}{place}"]
        # The interpreter and the packages of the tests, which may be in a directory that a scratch directory replaces.
        own = {prefix: Path(prefix) for prefix in (sys.base_prefix, sys.prefix) if not prefix.startswith(MACHINE)}
        files = {place: Path(place) for place in FILES if Path(place).exists()}
        for place, source in {**own, **files, **self.binds}.items():
            lines += _bind(root, place, source)
        lines += [f"mount -o remount,ro {root}", f"umask {self.umask}"]
        groups = f"--groups={','.join(map(str, self.groups))}" if self.groups else "--clear-groups"
        lower = f"--reuid={self.user} --regid={self.user} {groups} --no-new-privs --bounding-set=-all --inh-caps=-all"
        variables = [f"{name}={value}" for name, value in {"PATH": SYSTEM_PATH, **self.variables}.items()]
        inside = f"cd {shlex.quote(cwd)} && exec env -i {shlex.join(variables)} {shlex.join(command)}"
        lines.append(f"exec chroot {root} setpriv {lower} sh -c {shlex.quote(inside)}")
        return "\n".join(lines)


def _bind(root: str, place: str, source: Path) -> list[str]:
    target = shlex.quote(root + place)
    make = (
        f"mkdir -p {target}"
        if source.is_dir()
        else f"mkdir -p {shlex.quote(str(Path(root + place).parent))}; >{target}"
    )
    return [make, f"mount --rbind {shlex.quote(str(source))} {target}", f"mount -o remount,bind,ro {target}"]


def need_jail() -> None:
    """Skip the test if a jail cannot be created here, and say why."""
    if os.geteuid() != 0:
        pytest.skip("only root may make mount namespaces and act as another user")
    if not all(map(shutil.which, ("unshare", "setpriv", "chroot"))):
        pytest.skip("unshare, setpriv or chroot is not installed: apt-get install util-linux coreutils")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no mount namespaces")
