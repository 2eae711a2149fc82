"""Mutated model files, by the hundred here and by the thousand in scripts/fuzz_models."""

from __future__ import annotations

from tests.edge.model_fuzz import fuzz
from tests.edge.model_mutations import WAYS, mutants
from tests.edge.test_modelstore_keys import PUBLIC, SECRET

COUNT = 320


def test_no_mutated_file_is_taken_with_a_failed_check() -> None:
    found = fuzz(mutants(5, COUNT), SECRET, PUBLIC)
    assert found.wrong == []
    assert found.forged == COUNT
    assert set(found.tried) == set(WAYS) and sum(found.ends.values()) == COUNT
    # The mutations are worth something: many are refused early, many only by the child.
    assert found.ends["refused"] > COUNT // 2 and found.reached_child > COUNT // 5


def test_mutations_depend_on_the_seed_alone() -> None:
    one = [mutant.content for mutant in mutants(3, 20)]
    assert one == [mutant.content for mutant in mutants(3, 20)]
    assert one != [mutant.content for mutant in mutants(4, 20)]
