"""Thousands of sessions that nobody comes back to: memory stays where it was, and others notice nothing.

HPB_ABANDONED=10000 is the long form."""

import asyncio
import os

from hpbtest import apps, v2
from hpbtest.bridge import counters, flags
from hpbtest.waiting import SLOW, asynctest, sized, until, until_steady

MIB = 1 << 20
COUNT = int(os.environ.get("HPB_ABANDONED") or sized(3000, 100))
AT_ONCE = 20
#: Waits for the one before to expire: a fast machine would begin more than the service agent keeps (MaxSessions).
WAVE = 750
KEY = 5011


class Crowd:
    """Begins sessions and leaves them in all the ways there are."""

    def __init__(self, relay):
        self.relay, self.begun, self.refused = relay, 0, 0

    async def one(self, number):
        # With a grace time of its own that is far too long: the service's is the smaller one.
        session, channel = v2.Session(grace=3_600_000), await v2.Channel.dial(self.relay)
        try:
            if number % 3 == 0:  # gone before the answer
                await channel.send(session.hello(1))
                return
            await channel.begin(session, 1)
            self.begun += 1
            if number % 3 == 1:  # with a connection, and data that nobody will ever answer for
                await channel.open(1, KEY, bytes(1000))
                await channel.send_data(1, 5000, bytes(9000))
        except v2.Refused as refusal:
            assert refusal.code == v2.TOO_MANY_SESSIONS, refusal
            self.refused += 1
        finally:
            channel.vanish()

    async def many(self, count):
        gate = asyncio.Semaphore(AT_ONCE)

        async def gated(number):
            async with gate:
                await self.one(number)

        await asyncio.gather(*(gated(number) for number in range(count)))


@asynctest(240)
async def test_abandoned_sessions_leave_memory_where_it_was_and_others_alone(bench):
    section = bench.relay_options()["Relay"]
    del section["Tls"]  # the crowd is in Python, where TLS would take most of the time
    relay = bench.relay(options={"Relay": {**section, "Insecure": True}})
    relay.ca = None
    url = ["--relay", f"http://{relay.host}:{relay.port}/", "--rule", "root", "--rule-key-file", bench.key_file]
    with apps.echo_target() as target:
        service = bench.start("service", "service", *url, "-T", f"simple:{KEY}/127.0.0.1:{target.address[1]}",
                              *flags({"SessionGraceSeconds": 1}))
        service.wait_ready()
        client = bench.start("client", "client", *url, "-L", f"127.0.0.1:0/{KEY}:simple")
        (address,) = client.wait_ready()
        traffic = apps.Traffic(address, seconds=10)
        crowd = Crowd(relay)

        async def settled():
            await until(lambda: target.live == 1, 20, f"the abandoned connections end; {target.live} live")
            await until(lambda: counters(service)["sessions"] == 1, 20, f"only the client's session is left: "
                        f"{counters(service)}")
            if SLOW:  # a sanitizer keeps what is freed, so that its memory is never steady
                return service.resident_bytes()
            return await until_steady(service.resident_bytes, 0.3, 20, "memory is steady")

        async def waves(count):
            for done in range(0, count, WAVE):
                await crowd.many(min(WAVE, count - done))
                await until(lambda: counters(service)["sessions"] < WAVE // 4, 20, "the abandoned sessions expire")

        await waves(max(COUNT // 3, 50))  # whatever the first thousand makes the allocator keep
        before, descriptors = await settled(), service.descriptors()
        start = asyncio.get_running_loop().time()
        await waves(COUNT)
        taken = asyncio.get_running_loop().time() - start
        grown = await settled() - before
        said = counters(service)
        traffic.stop()
        print(f"{COUNT} sessions in {taken:.1f} s, of all {crowd.begun} were begun and {crowd.refused} refused; memory "
              f"{before / MIB:.1f} MiB, grown by {grown / MIB:.2f} MiB; {traffic.rounds} round trips meanwhile; {said}")
        assert traffic.failure is None and traffic.rounds > 0, traffic.failure
        assert crowd.begun > COUNT / 2 and said["expired"] >= crowd.begun
        assert said["resumes"] == 0, "nobody came back"
        if not SLOW:
            assert grown < 8 * MIB, "more than what an allocator keeps"
        await until(lambda: service.descriptors() <= descriptors, 20, "no descriptor is left behind")
