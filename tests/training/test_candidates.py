"""Short lists of candidates and what they catch, by hand."""

from __future__ import annotations

import math

import numpy as np

from rapport.training.candidates import candidate_recall, in_short_list

LISTS = ["a", "a", "a", "a", "b", "b", "b", "c"]
POPULAR = np.array([4.0, 3, 2, 1, 9, 8, 7, 1])
PERSONAL = np.array([0.0, 0, 0, 5, 0, 0, 6, 0])
BOUGHT = np.array([0.0, 1, 0, 1, 0, 0, 1, 0])


def test_the_first_of_each_list_and_ties_by_the_order_of_rows():
    assert in_short_list(POPULAR, LISTS, 2).tolist() == [True, True, False, False, True, True, False, True]
    assert in_short_list(PERSONAL, LISTS, 2).tolist() == [True, False, False, True, True, False, True, True]


def test_what_each_source_catches_and_all_together():
    found = candidate_recall(BOUGHT, {"popular": POPULAR, "personal": PERSONAL}, LISTS, size=2)
    assert found["popular"] == (0.25, 5 / 8)  # one of two in a, none in b; nothing was bought in c
    assert found["personal"] == (0.75, 5 / 8)
    assert found["all"] == (1.0, 7 / 8)


def test_nothing_bought_is_nan():
    found = candidate_recall(np.zeros(8), {"popular": POPULAR}, LISTS)
    assert math.isnan(found["popular"][0])
    assert found["popular"][1] == 1.0
