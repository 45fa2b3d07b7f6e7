"""OpenSSH -L with an sshd of its own, its own keys and nothing of the user's configuration."""

import getpass
import os
import subprocess

from ..contender import Contender
from ..processes import free_port, wait_for_port

_SSHD = """Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host
AuthorizedKeysFile {directory}/user.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PidFile none
AllowTcpForwarding yes
MaxSessions 1000
MaxStartups 1000
LogLevel ERROR
"""


class Openssh(Contender):
    name = "openssh"
    hops = "ssh -L → sshd; default cipher"
    multiplexes = True
    programs = ("ssh", "sshd", "ssh-keygen")
    descriptors_per_connection = 1
    cipher = ()

    def launch(self, targets, connections):
        directory = self.place.directory
        for name in ("host", "user"):
            subprocess.run([self.program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", directory / name],
                           check=True, capture_output=True)
        port, entry = free_port(), f"127.0.0.1:{free_port()}"
        config = self.place.file("sshd_config", _SSHD.format(port=port, directory=directory))
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # as its service would
        server = self.run("sshd", [self.program("sshd"), "-D", "-e", "-f", config], forks=True)
        wait_for_port(server, f"127.0.0.1:{port}")
        host, dialled = self.place.via(f"127.0.0.1:{port}").split(":")
        client = self.run("ssh", [
            self.program("ssh"), "-F", "none", "-N", "-T", "-p", dialled, "-i", directory / "user", *self.cipher,
            "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "ExitOnForwardFailure=yes",
            "-L", f"{entry}:{targets[0]}", f"{getpass.getuser()}@{host}"])
        wait_for_port(client, entry)
        self.entries = [entry]


class OpensshGcm(Openssh):
    name = "openssh-gcm"
    hops = "ssh -L → sshd; aes128-gcm@openssh.com"
    cipher = ("-c", "aes128-gcm@openssh.com")
