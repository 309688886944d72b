import pytest

from textdiff import alphabet
from textdiff.alphabet import CHARACTERS, NEWLINE, NULL, PAD, SIZE, START, encode, null_prompt, problem_with


def test_every_character_has_an_id_of_its_own_that_no_special_token_shares():
    ids = encode([CHARACTERS], len(CHARACTERS))[0].tolist()
    assert ids[0] == START
    assert len(set(ids)) == len(ids)
    assert not {PAD, NULL} & set(ids)
    assert max(ids) == SIZE - 1


def test_the_alphabet_is_printable_ascii_and_the_line_break():
    assert set(CHARACTERS) == {chr(code) for code in range(128) if chr(code).isprintable()} | {"\n"}


def test_a_text_becomes_start_characters_and_padding():
    first, second = encode(["b\na", "a"], 4).tolist()
    assert (first[0], first[2], first[4]) == (START, NEWLINE, PAD)
    assert second == [START, first[3], PAD, PAD, PAD]


def test_the_empty_text_and_the_null_prompt_say_different_things():
    assert encode([""], 2).tolist() == [[START, PAD, PAD]]
    assert null_prompt(2, 2).tolist() == [[NULL, PAD, PAD]] * 2


def test_ids_are_whole_numbers_of_64_bits_as_embeddings_want_them():
    assert encode(["a"], 3).dtype == null_prompt(1, 3).dtype == "int64"


def test_a_text_at_the_limits_has_no_problem():
    assert problem_with("abc\nde", 6, 2) is None
    assert problem_with("", 6, 1) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("naïve", "'ï' (U+00EF)"),
        ("a\tb", "U+0009"),
        ("😀", "U+1F600"),
        ("abcdefg", "7 characters, line breaks included; this model writes at most 6"),
        ("a\nb\nc", "3 lines; this model writes at most 2"),
    ],
)
def test_a_problem_is_one_sentence_that_names_what_is_wrong(text, said):
    problem = problem_with(text, 6, 2)
    assert said in problem
    assert problem.endswith(".") and "\n" not in problem


def test_of_many_unknown_characters_three_are_named():
    problem = problem_with("äöüß", 6, 2)
    assert problem.count("U+") == 3 and problem.endswith(", ....")


def test_encoding_what_has_a_problem_is_our_own_mistake():
    with pytest.raises(KeyError):
        encode(["ä"], 4)
    with pytest.raises(AssertionError):
        encode(["abcde"], 4)


def test_lines_end_where_the_alphabet_says():
    assert encode(["\n"], 1)[0, 1] == alphabet.NEWLINE
