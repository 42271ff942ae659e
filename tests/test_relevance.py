"""Which things matter for a question: words and names."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.context.relevance import (
    Topic,
    WordScores,
    is_about_failing,
    is_about_shown,
    likely_names,
    may_set,
    names_set,
    names_used,
    words_of,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            "the learning rates", {"learn", "rat"}, id="endings go, and small words"
        ),
        pytest.param(
            "learningRate = learning_rate", {"learn", "rat"}, id="camel and snake"
        ),
        pytest.param("merge merged merging", {"merg"}, id="one stem"),
        pytest.param(
            "为什么 df 是空的", {"为什么", "df", "是空的"}, id="other scripts"
        ),
        pytest.param("", set(), id="nothing"),
    ],
)
def test_words_are_stems(text: str, words: set[str]) -> None:
    assert words_of(text) == words


def test_of_many_names_the_mentioned_then_the_matching_then_the_first_are_likely() -> (
    None
):
    names = [*[f"v{number}" for number in range(50)], "HousePrices", "x", "y"]
    likely = likely_names(names, "what is wrong with the prices?", ["y", "none"], 5)
    assert likely == ["v0", "v1", "v2", "HousePrices", "y"]
    assert likely_names(names, "why?", [], 2) == ["v0", "v1"]
    assert likely_names(["İ", "İprice"], "the price?", [], 1) == ["İ"]


def test_rare_words_count_more() -> None:
    texts = [*["load the data"] * 9, "the price data"]
    words = WordScores("which data holds the price?", texts)
    assert words.score(texts[-1]) > words.score(texts[0]) > 0
    assert words.score("nothing of that") == 0
    assert WordScores("price", ["price"], uncounted=["Prices"]).score("Prices") == 1


def test_a_question_without_words_scores_nothing() -> None:
    assert WordScores("why?", ["why"]).score("why") == 0


@pytest.mark.parametrize(
    ("source", "names"),
    [
        pytest.param("a = b.c(d)", {"a", "b", "d"}, id="code"),
        pytest.param("%time x = y\n!ls\nz", {"z"}, id="magics are passed over"),
        pytest.param(
            "for x in (", {"for", "x", "in"}, id="broken code, as far as it can be seen"
        ),
        pytest.param("\0", set(), id="no text at all"),
    ],
)
def test_names_that_code_uses(source: str, names: set[str]) -> None:
    assert names_used(source) == names


def test_a_question_names_variables_as_whole_words() -> None:
    assert Topic("why is df empty? (order.total)", ["df", "orders", "order"]).named == {
        "df",
        "order",
    }


@pytest.mark.parametrize(
    ("source", "names"),
    [
        pytest.param("a = b", {"a"}, id="assigned"),
        pytest.param("a, *b = c", {"a", "b"}, id="unpacked"),
        pytest.param("df['x'] = 1\ndf.loc[0].y = 2", {"df"}, id="a part of it"),
        pytest.param("def f(x):\n    return x", {"f"}, id="a function"),
        pytest.param(
            "import numpy as np, os.path\nfrom a import b as c",
            {"np", "os", "c"},
            id="imported",
        ),
        pytest.param("for i in range(3):\n    print(i)", {"i"}, id="in a loop"),
        pytest.param("print(a == b, f(x=1))", set(), id="only read"),
        pytest.param("a = (", set(), id="broken"),
    ],
)
def test_names_that_code_sets(source: str, names: set[str]) -> None:
    assert names_set(source) == names
    assert all(may_set(source, name) for name in names)


@pytest.mark.parametrize(
    ("prompt", "is_one"),
    [
        ("why does fit fail?", True),
        ("fix it", True),
        ("?", True),
        ("plot the sales", False),
    ],
)
def test_a_question_about_a_failure_is_known_by_its_words(
    prompt: str, is_one: bool
) -> None:
    assert is_about_failing(prompt) is is_one


def test_two_words_are_found_as_one() -> None:
    assert (
        WordScores("which stop words are there?", ["STOPWORDS = 1", "x = 2"]).score(
            "STOPWORDS = 1"
        )
        == 1
    )


@pytest.mark.parametrize(
    ("prompt", "is_about"),
    [
        ("how many rows were dropped?", True),
        ("what does the warning mean?", True),
        ("how many rows has each shop? draw that as bars", False),
        ("which shop sold most? plot the output of In[3]", True),
        ("mean price per shop", False),
    ],
)
def test_whether_a_question_is_about_what_was_shown(
    prompt: str, is_about: bool
) -> None:
    assert is_about_shown(prompt) == is_about
