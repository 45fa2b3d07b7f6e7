"""Throw-away certificates by the openssl command: a CA and what it and a stranger sign."""

import datetime
import pathlib
import subprocess

_NAMES = ["DNS:localhost", "DNS:relay.test", "IP:127.0.0.1", "IP:::1", "IP:10.77.1.1", "IP:10.77.2.1"]


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"openssl {arguments[0]} failed: {done.stderr}")


class Certificates:
    """Makes everything in `directory` at once. Attributes are (certificate, key) pairs of paths, and CA files."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.ca = self._authority("ca", "hpb test CA")
        self.other_ca = self._authority("other-ca", "hpb test stranger CA")
        self.server = self._signed("server", "ca", _NAMES)
        self.wrong_host = self._signed("wrong-host", "ca", ["DNS:elsewhere.test"])
        self.from_other_ca = self._signed("from-other-ca", "other-ca", _NAMES)
        self.expired = self._signed("expired", "ca", _NAMES, days=(-10, -1))
        self.not_yet_valid = self._signed("not-yet-valid", "ca", _NAMES, days=(5, 30))
        self.nameless = self._signed("localhost", "ca", [])
        self.rsa = self._signed("rsa", "ca", _NAMES, kind=("rsa", "rsa_keygen_bits:2048"))
        self.intermediate, _ = self._signed("intermediate", "ca", [], authority_itself=True)
        #: the leaf alone: its server forgets to send the intermediate certificate
        self.without_intermediate = self._signed("without-intermediate", "intermediate", _NAMES)

    def _path(self, name):
        return self.directory / name

    def _authority(self, name, subject):
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-keyout", self._path(f"{name}.key"), "-out", self._path(f"{name}.crt"), "-days", "30",
                 "-subj", f"/CN={subject}", "-addext", "basicConstraints=critical,CA:TRUE",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        return self._path(f"{name}.crt")

    def _signed(self, name, authority, names, *, days=(-10, 30), kind=("ec", "ec_paramgen_curve:prime256v1"),
                authority_itself=False):
        certificate, key, request = (self._path(f"{name}.{e}") for e in ("crt", "key", "csr"))
        _openssl("req", "-newkey", kind[0], "-pkeyopt", kind[1], "-nodes",
                 "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        work = self._path(f"{name}.ca")
        work.mkdir()
        (work / "index.txt").write_text("")
        (work / "serial").write_text("%02X\n" % (abs(hash(name)) % 200 + 16))
        extensions = (["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"] if authority_itself
                      else ["basicConstraints=CA:FALSE", "extendedKeyUsage=serverAuth"])
        if names:
            extensions.append("subjectAltName=" + ",".join(names))
        (work / "ca.cnf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndatabase={0}/index.txt\nserial={0}/serial\nnew_certs_dir={0}\n"
            "default_md=sha256\npolicy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n"
            "[e]\n{1}\n".format(work, "\n".join(extensions)))
        start, end = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=n) for n in days)
        _openssl("ca", "-batch", "-notext", "-config", work / "ca.cnf", "-in", request, "-out", certificate,
                 "-cert", self._path(f"{authority}.crt"), "-keyfile", self._path(f"{authority}.key"),
                 "-startdate", start.strftime("%Y%m%d%H%M%SZ"), "-enddate", end.strftime("%Y%m%d%H%M%SZ"))
        return certificate, key
