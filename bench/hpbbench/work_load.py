"""What every work load is."""


class WorkLoad:
    """measure() takes one sample; metrics() makes the numbers of it that are compared."""

    name = ""
    title = ""
    #: memory does not vary from round to round as times do
    once = False
    #: names of contenders, None for all
    only = None
    #: of the table: (key in metrics(), heading, unit of units.py)
    columns = ()
    #: a column that lists metrics "PREFIX: ROLE" of each process: (prefix, heading, unit), or None
    detail = None

    def applies_to(self, contender_class):
        return self.only is None or contender_class.name in self.only

    def measure(self, settings, contender_class):
        """@return {"values": what was measured, "cpu_seconds": {role: seconds}, "notes": [text]}; the last two
        may be absent. @raises Failed with the reason."""
        raise NotImplementedError

    def metrics(self, sample):
        """{name: number}"""
        raise NotImplementedError


OURS_ONLY = ("hpb",)


def agents_cpu(sample):
    """CPU time of both agents, for samples of hpb."""
    return sum(seconds for role, seconds in sample["cpu_seconds"].items() if role.endswith("agent"))
