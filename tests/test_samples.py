"""The pictures that are read: every prompt as often as asked, each with a seed of its own."""

import pytest

from textdiff.training.fonts import find_faces
from textdiff.training.samples import Prompt, clean_pictures, load_prompts


@pytest.mark.parametrize(
    ("text", "sentence"),
    [('{"text": "a"}\n', "not a file of prompts"), ("[1]", "not a file of prompts"), ("\n", "no prompts in")],
)
def test_a_bad_prompt_file_is_refused_in_one_sentence(tmp_path, text, sentence):
    (tmp_path / "bad.jsonl").write_text(text)
    with pytest.raises(ValueError, match=sentence):
        load_prompts(tmp_path / "bad.jsonl")


def test_a_missing_prompt_file_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="not a file of prompts"):
        load_prompts(tmp_path / "missing.jsonl")


def test_clean_pictures_differ_by_sample_and_leave_out_what_fits_in_no_face():
    prompts = [Prompt("ab", "02"), Prompt("w" * 30, "30")]
    drawn = list(clean_pictures(32, prompts, samples=2, seed=5, faces=find_faces("one")))
    assert [one.prompt.text for one in drawn] == ["ab", "ab"]
    assert [one.seed for one in drawn] == [5, 7]
    assert (drawn[0].picture != drawn[1].picture).any()
