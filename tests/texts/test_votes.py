"""Label shares and majorities, by hand."""

import pandas as pd
import pytest

from jobshift.texts.votes import majority, tied, vote_shares

CLASSES = ["E0", "E2", "E1"]  # ordinal order, least exposed first


def votes_of(**items: str) -> pd.DataFrame:
    rows = [(item, vote) for item, votes in items.items() for vote in votes.split()]
    return pd.DataFrame(rows, columns=["task", "exposure"])


def test_shares_are_votes_over_raters_and_activities():
    # Two activities × three raters: 3 × E0, 2 × E2, 1 × E1 of 6 votes.
    shares = vote_shares(votes_of(a="E0 E2 E0 E0 E1 E2"), "task", "exposure", CLASSES)
    assert shares.loc["a"].tolist() == pytest.approx([3 / 6, 2 / 6, 1 / 6])
    assert list(shares.columns) == ["p_E0", "p_E2", "p_E1"]


def test_majority_and_its_tie_rule():
    votes = votes_of(
        clear="E1 E1 E0",
        two_way="E1 E1 E2 E2",  # tied at 1/2: the less exposed, E2
        three_way="E1 E2 E0",  # all tied: E0
        thirds="E1 E2 E1 E2 E1 E2",
    )
    shares = vote_shares(votes, "task", "exposure", CLASSES)
    assert majority(shares).to_dict() == {
        "clear": "E1",
        "two_way": "E2",
        "three_way": "E0",
        "thirds": "E2",
    }
    assert tied(shares).to_dict() == {
        "clear": False,
        "two_way": True,
        "three_way": True,
        "thirds": True,
    }


def test_a_class_without_votes_has_share_zero():
    shares = vote_shares(votes_of(a="E0 E0"), "task", "exposure", CLASSES)
    assert shares.loc["a"].tolist() == [1.0, 0.0, 0.0]


def test_an_unknown_vote_is_refused():
    with pytest.raises(ValueError, match="'E9'"):
        vote_shares(votes_of(a="E0 E9"), "task", "exposure", CLASSES)
