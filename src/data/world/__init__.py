"""The simulated world: every table of the data contract, and the truth beside it.

parameters, groups, rules, names   what a world can be like
population, characters             who comes, and what a person is like
market, products                   seasons, prices, competitors, campaigns; what is sold and goes together
prospects, purchases, service      from target to contract; visits and baskets; failures and signs of life
contacts, defection                campaigns and their effects; leaving, coming back, the filter
day, state, simulation, chance     the step of a day, what it moves, the loops, the random numbers
blocks, rows, tables, activity     families, lived one after another; from events to the contract's tables
dirt, records, write, project      late, missing, wrong; the truth as tables; the files; the world of a configuration
replay, foresight                  states at a cutoff; futures lived again
truth, interventions, retelling    true probabilities; what an offer would do; the events of drawn futures
references, ceilings               worth as a reference; the probabilities that a perfect model would give
"""

from .parameters import WorldConfig
from .write import write_world

__all__ = ["WorldConfig", "write_world"]
