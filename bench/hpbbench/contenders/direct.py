"""The ceiling: load generator and target, and nothing between them."""

from ..contender import CEILING, Contender


class Direct(Contender):
    name = "direct"
    hops = "load generator → target"
    role = CEILING
    descriptors_per_connection = 1

    def launch(self, targets, connections):
        self.entries = [self.place.via(target) for target in targets]
