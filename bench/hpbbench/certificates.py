"""A throw-away CA and a server certificate for 127.0.0.1, in all the forms in which the contenders want it."""

import pathlib
import subprocess

_NAMES = "DNS:localhost,IP:127.0.0.1"
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Certificates:
    """Files in `directory`: ca, certificate, key, both (one PEM file), pkcs12 (with `password`)."""

    password = "bench"

    def __init__(self, directory):
        d = pathlib.Path(directory)
        self.ca, self.certificate, self.key = d / "ca.crt", d / "server.crt", d / "server.key"
        self.both, self.pkcs12 = d / "server.pem", d / "server.pfx"
        extensions = d / "extensions"
        extensions.write_text(f"subjectAltName={_NAMES}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n")
        _openssl("req", "-x509", *_KEY, "-keyout", d / "ca.key", "-out", self.ca, "-days", "30",
                 "-subj", "/CN=bench CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        _openssl("req", *_KEY, "-keyout", self.key, "-out", d / "server.csr", "-subj", "/CN=localhost")
        _openssl("x509", "-req", "-in", d / "server.csr", "-CA", self.ca, "-CAkey", d / "ca.key",
                 "-set_serial", "2", "-days", "30", "-extfile", extensions, "-out", self.certificate)
        self.both.write_text(self.certificate.read_text() + self.key.read_text())
        _openssl("pkcs12", "-export", "-inkey", self.key, "-in", self.certificate, "-certfile", self.ca,
                 "-out", self.pkcs12, "-passout", f"pass:{self.password}")


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
