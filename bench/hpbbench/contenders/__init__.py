"""The contenders in the order of the tables."""

from .chisel import Chisel
from .direct import Direct
from .frp import Frp, FrpWithoutMux
from .haproxy import Haproxy2, Haproxy3, Haproxy3Large, HaproxyPlain
from .hpb import Hpb, HpbV1
from .openssh import Openssh, OpensshGcm
from .rathole import RatholeTcp, RatholeTls
from .stunnel import Stunnel
from .wstunnel import Wstunnel, WstunnelMasked

ALL = {c.name: c for c in (Direct, HaproxyPlain, Hpb, HpbV1, Haproxy3, Haproxy3Large, Haproxy2, Openssh, OpensshGcm,
                           Stunnel, Chisel, Frp, FrpWithoutMux, RatholeTcp, RatholeTls, Wstunnel, WstunnelMasked)}
