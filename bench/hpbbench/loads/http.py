"""HTTP requests on connections that are kept, by wrk; the target answers out of its memory."""

import json
import urllib.error
import urllib.request

from .. import programs
from ..contenders.haproxy import connection_limit
from ..processes import Process, free_port, wait_for_port
from ..recorder import Recorder
from ..stage import staged
from ..waiting import Failed
from ..work_load import WorkLoad

_RESPONDER = """global
  maxconn {connections}
  nbthread 1
defaults
  mode http
  timeout connect 10s
  timeout client 1h
  timeout server 1h
frontend answer
  bind {address}
  http-request return status 200 content-type text/plain string "Hello from behind the contender"
"""
# What wrk counts, as one JSON object.
_SCRIPT = """done = function(s, l)
  local e = s.errors
  print(string.format('{"requests":%d,"microseconds":%d,"errors":%d,"p50_us":%d,"p99_us":%d}', s.requests,
    s.duration, e.connect + e.read + e.write + e.status + e.timeout, l:percentile(50), l:percentile(99)))
end
"""
_no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Responder:
    """A target like generator.Target: HAProxy, which answers requests by itself."""

    def __init__(self, directory):
        haproxy = programs.find("haproxy")
        if not haproxy:
            raise Failed("the target needs haproxy, which is not installed")
        self.address = f"127.0.0.1:{free_port()}"
        config = directory / "responder.cfg"
        config.write_text(_RESPONDER.format(connections=connection_limit(), address=self.address))
        self.process = Process("target", [haproxy, "-db", "-f", config], directory)
        wait_for_port(self.process, self.address)


def _answers(_directory, entry):
    try:
        with _no_proxy.open(f"http://{entry}/", timeout=5) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


class Http(WorkLoad):
    name = "http"
    title = "HTTP requests, wrk with 32 connections that are kept"
    columns = (("per_second", "requests/s", "number"), ("p50_us", "p50", "µs"), ("p99_us", "p99", "µs"),
               ("cpu_us", "CPU µs/request, contender", "number"))

    def measure(self, settings, contender_class):
        wrk = programs.find("wrk")
        if not wrk:
            raise Failed("wrk is not installed")
        with staged(settings, contender_class, serve=Responder, proof=_answers) as stage:
            script = stage.contender.place.file("wrk.lua", _SCRIPT)
            seconds = max(1, round(settings.seconds))
            load = Process("load generator", [wrk, "-t1", "-c32", f"-d{seconds}s", "-s", script,
                                              f"http://{stage.entries[0]}/"], stage.directory)
            try:
                with Recorder(lambda: stage.cpu_seconds(load)) as recorder:
                    end, line = load.wait_line(seconds + 30, '{"requests"')
                cpu = recorder.growth(end, seconds)
                load.wait_exit(10)
            finally:
                load.stop()
        values = json.loads(line)
        values["seconds"] = values["microseconds"] / 1e6
        if not values["requests"]:
            raise Failed(f"no request was answered, {values['errors']} errors")
        return {"values": values, "cpu_seconds": cpu}

    def metrics(self, sample):
        values = sample["values"]
        own = [s for role, s in sample["cpu_seconds"].items() if role not in ("target", "load generator")]
        return {"per_second": values["requests"] / values["seconds"], "errors": values["errors"],
                "p50_us": values["p50_us"], "p99_us": values["p99_us"],
                "cpu_us": sum(own) * 1e6 / values["requests"]}
