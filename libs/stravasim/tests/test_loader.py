"""The data folder: what is served, and the errors of an invalid one."""

import json

import pytest

from stravasim.app import create_app
from stravasim.control.models import athlete_summaries
from stravasim.dataset.loader import MAX_FILE_BYTES, InvalidDatasetError, load_dataset
from stravasim.simulator import Settings


async def test_activities_are_served_with_their_keys_order_and_values(open_harness):
    written = (
        '[{"id": 9223372036854775807, "distance": 0.0, "moving_time": 1e3, "speed": 1.10,\n'
        ' "a_new_field": {"deep": [1, null, "zażółć \\ud83d\\udeb4"]}}, {"id":2}]'
    )
    async with open_harness(written) as harness:
        response = await (await harness.reader()).get()

    assert response.json() == json.loads(written)
    assert list(response.json()[0]) == ["id", "distance", "moving_time", "speed", "a_new_field"]


def test_other_files_are_ignored_and_lists_may_be_empty(make_folder):
    folder = make_folder(
        {"5.json": [], "12.json": "\ufeff [ ] \n", ".7.json": "x", "notes.txt": "x", "8.JSON": "x", "9.json~": "x"}
    )
    (folder / "sub.json").mkdir()

    assert list(load_dataset(folder).athletes) == [5, 12]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "7.json: malformed JSON"),
        ("{}", "7.json: must be a list"),
        ("[1]", "7.json, entry 1: must be an object"),
        ('[{"id": 1}, null]', "7.json, entry 2: must be an object"),
        ('[{"id": 1},]', "7.json: malformed JSON"),
        ('[{"id": 1}', "7.json: malformed JSON: Expecting ',' delimiter: line 1 column 11"),
        ('[{"id": 1}] x', "7.json: malformed JSON: Extra data"),
        ('[{"id": 1}, {"id": 2, "distance": NaN}]', "7.json: malformed JSON: NaN"),
        ("[" * 100_000, "7.json: malformed JSON"),
        (f'[{{"id": {"9" * 5000}}}]', "7.json: malformed JSON"),
        ('[{"name": "x"}]', "7.json, entry 1: id must be an integer"),
        ('[{"id": "1"}]', "7.json, entry 1: id must be an integer"),
        ('[{"id": 1.0}]', "7.json, entry 1: id must be an integer"),
        ('[{"id": true}]', "7.json, entry 1: id must be an integer"),
        ('[{"id": 0}]', "7.json, entry 1: id must be an integer"),
        ('[{"id": 9223372036854775808}]', "7.json, entry 1: id must be an integer"),
        ('[{"id": 1, "name": "\\ud800"}]', "7.json, entry 1: cannot be written as JSON"),
        ('[{"id": 1, "distance": 1e999}]', "7.json, entry 1: cannot be written as JSON"),
        ('[{"id": 1}, {"id": 1}]', "7.json, entry 2: id 1 is already used by 7.json, entry 1"),
        ('[{"id": 50}]', "7.json, entry 1: id 50 is already used by 3.json, entry 1"),
    ],
)
def test_an_invalid_file_is_named_with_its_entry_in_one_line(make_folder, content, complaint):
    folder = make_folder({"3.json": '[{"id": 50}]', "7.json": content})

    with pytest.raises(InvalidDatasetError) as caught:
        load_dataset(folder)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["anna.json", "007.json", "-1.json", "1.5.json", "9223372036854775808.json", "٣.json"]
)
def test_a_file_name_must_be_an_athlete_id(make_folder, name):
    with pytest.raises(InvalidDatasetError, match="must be an athlete id"):
        load_dataset(make_folder({name: []}))


def test_a_folder_needs_an_athlete(tmp_path):
    with pytest.raises(InvalidDatasetError, match="has no athletes"):
        load_dataset(tmp_path)
    with pytest.raises(InvalidDatasetError, match="cannot read"):
        load_dataset(tmp_path / "missing")


def test_a_file_that_is_not_text_is_named(tmp_path):
    (tmp_path / "7.json").write_bytes(b'[{"id": 1, "name": "\xff"}]')

    with pytest.raises(InvalidDatasetError, match=r"7\.json: is not UTF-8"):
        load_dataset(tmp_path)


def test_a_file_beyond_the_size_bound_is_refused_unread(tmp_path):
    with (tmp_path / "7.json").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)

    with pytest.raises(InvalidDatasetError, match=r"7\.json: is larger than"):
        load_dataset(tmp_path)


def test_names_follow_from_the_id_whatever_else_is_in_the_folder(make_folder):
    def name_of_athlete_7():
        simulator = create_app(load_dataset(folder), None, Settings()).state.simulator
        [athlete] = [one for one in athlete_summaries(simulator) if one.id == 7]
        return athlete.firstname, athlete.lastname

    folder = make_folder({"7.json": [{"id": 1}]})
    alone = name_of_athlete_7()
    make_folder({"3.json": [{"id": 2}], "9.json": []})
    assert name_of_athlete_7() == alone
