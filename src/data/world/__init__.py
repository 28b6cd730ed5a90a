"""The simulated world: every table of the data contract, and the truth beside it.

parameters   what a world can be like                     population   who lives in it
market       seasons, prices, competitors, campaigns      products     what is sold, what goes together
prospects    from target to contract                      purchases    visits and baskets
service      failures, complaints, signs of life          contacts     campaigns, hold-outs, their effects
defection    leaving, coming back, the filter             simulation   the step of a day
blocks       families, lived one after another            tables       from events to the contract
dirt         late, missing, wrong                         write        the files
"""

from .parameters import WorldConfig
from .write import write_world

__all__ = ["WorldConfig", "write_world"]
