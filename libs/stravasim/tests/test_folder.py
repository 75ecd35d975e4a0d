"""The data folder: what is served as written, and what is said about a broken one."""

import json

import pytest

from stravasim.club import BrokenFolderError, load_folder


async def test_activities_are_served_exactly_as_written(open_world):
    written = (
        '[{"id": 9223372036854775807, "distance": 0.0, "moving_time": 1e3, "speed": 1.10,\n'
        ' "a_new_field": {"deep": [1, null, "zażółć \\ud83d\\udeb4"]}}, {"id":2}]'
    )
    async with open_world(written) as world:
        response = await (await world.reader()).get()

    assert response.text == (
        '[{"id": 9223372036854775807, "distance": 0.0, "moving_time": 1e3, "speed": 1.10,\n'
        ' "a_new_field": {"deep": [1, null, "zażółć \\ud83d\\udeb4"]}},{"id":2}]'
    )


def test_other_files_and_empty_lists_do_no_harm(make_folder):
    folder = make_folder(
        {"5.json": [], "12.json": "\ufeff [ ] \n", ".7.json": "x", "notes.txt": "x", "8.JSON": "x", "9.json~": "x"}
    )
    (folder / "sub.json").mkdir()

    assert list(load_folder(folder).members) == [5, 12]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "7.json: malformed JSON"),
        ("{}", "7.json: must be a list"),
        ("[1,]", "7.json, entry 1: must be an object, not a number"),
        ('[{"id": 1},]', "7.json, entry 2: malformed JSON"),
        ('[{"id": 1} {"id": 2}]', "7.json, entry 1: malformed JSON: expected ',' or ']'"),
        ('[{"id": 1}', "7.json, entry 1: malformed JSON: expected ',' or ']'"),
        ('[{"id": 1}] x', "7.json: malformed JSON: text after the end"),
        ('[{"id": 1}, {"id": 2, "distance": NaN}]', "7.json, entry 2: malformed JSON: NaN"),
        ("[" * 100_000, "7.json, entry 1: malformed JSON"),
        ('[{"id": 1}, null]', "7.json, entry 2: must be an object, not null"),
        ('[{"name": "x"}]', "7.json, entry 1: has no id"),
        ('[{"id": "1"}]', "7.json, entry 1: id must be an integer"),
        ('[{"id": 1.0}]', "7.json, entry 1: id must be an integer"),
        ('[{"id": true}]', "7.json, entry 1: id must be an integer"),
        ('[{"id": 0}]', "7.json, entry 1: id must be an integer"),
        ('[{"id": 9223372036854775808}]', "7.json, entry 1: id must be an integer"),
        (f'[{{"id": {"9" * 5000}}}]', "7.json, entry 1: malformed JSON"),
        ('[{"id": 1}, {"id": 1}]', "7.json, entry 2: id 1 is already used by 7.json, entry 1"),
        ('[{"id": 50}]', "7.json, entry 1: id 50 is already used by 3.json, entry 1"),
    ],
)
def test_a_broken_file_is_named_with_its_entry_in_one_line(make_folder, content, complaint):
    folder = make_folder({"3.json": '[{"id": 50}]', "7.json": content})

    with pytest.raises(BrokenFolderError) as caught:
        load_folder(folder)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["anna.json", "007.json", "-1.json", "1.5.json", "9223372036854775808.json", "٣.json"]
)
def test_a_file_name_must_be_an_athlete_id(make_folder, name):
    with pytest.raises(BrokenFolderError, match="must be an athlete id"):
        load_folder(make_folder({name: []}))


def test_a_folder_needs_an_athlete(tmp_path):
    with pytest.raises(BrokenFolderError, match="has no athletes"):
        load_folder(tmp_path)
    with pytest.raises(BrokenFolderError, match="cannot read"):
        load_folder(tmp_path / "missing")


def test_a_file_that_is_not_text_is_named(tmp_path):
    (tmp_path / "7.json").write_bytes(b'[{"id": 1, "name": "\xff"}]')

    with pytest.raises(BrokenFolderError, match=r"7\.json: is not UTF-8"):
        load_folder(tmp_path)


def test_names_follow_from_the_id(make_folder):
    folder = make_folder({"7.json": json.dumps([{"id": 1}])})

    assert load_folder(folder).log(7).entries == load_folder(folder).log(7).entries
