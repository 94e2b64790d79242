import pytest

from hubcls.datasets import (
    BaseCVDataset,
    Dataset,
    DatasetInfo,
    Digits,
    ImageFolder,
    ImageList,
    ImageTable,
    LabelKeeping,
    Split,
    open_dataset,
)
from hubcls.datasets.opening import opened_as
from hubcls.errors import ConfigError, UnknownNameError


def test_a_name_opens_the_data_set_of_the_catalogue():
    assert open_dataset("Digits", seed=3).info.name == "digits"


def test_a_folder_of_class_folders_is_opened(photos):
    dataset = open_dataset(photos, test_fraction=0)

    assert isinstance(dataset, ImageFolder)
    assert not dataset.has("test")


def test_a_folder_with_paddlehubs_lists_is_opened(photos):
    (photos / "train_list.txt").write_text("".join(f"cat/{n:02}.jpg {n % 2}\n" for n in range(9)))
    (photos / "label_list.txt").write_text("even\nodd\n")

    dataset = open_dataset(photos)

    assert isinstance(dataset, BaseCVDataset)
    assert dataset.get_labels() == ["even", "odd"]


def test_a_table_and_a_list_are_opened_by_their_suffix(photos):
    lines = [f"{name}/{n:02}.jpg" for name in ("cat", "dog") for n in range(9)]
    (photos / "all.csv").write_text("image,label\n" + "".join(f"{p},{p[:3]}\n" for p in lines))
    (photos / "all.txt").write_text("".join(f"{p} {int(p[0] == 'd')}\n" for p in lines))

    assert isinstance(open_dataset(str(photos / "all.csv")), ImageTable)
    assert isinstance(open_dataset(str(photos / "all.txt")), ImageList)


def test_a_name_of_the_catalogue_wins_over_a_folder_called_the_same(photos, monkeypatch):
    photos.rename(photos.parent / "digits")
    monkeypatch.chdir(photos.parent)

    assert open_dataset("digits").info.num_examples["train"] == 1257
    assert open_dataset("./digits").info.class_names == ("cat", "dog")


def test_an_unknown_name_lists_the_nearest():
    with pytest.raises(UnknownNameError, match="flowers"):
        open_dataset("flwers")


def test_a_path_that_is_not_there_is_said_so():
    with pytest.raises(ConfigError, match="does not exist"):
        open_dataset("photos/flwers")


def test_a_file_that_nothing_reads_is_an_error(tmp_path):
    (tmp_path / "data.json").write_text("{}")

    with pytest.raises(ConfigError, match="neither a folder nor"):
        open_dataset(tmp_path / "data.json")


@pytest.mark.parametrize("name", ["digits", "fashion_mnist"])
def test_an_argument_that_the_data_set_does_not_take_is_named_beside_those_it_takes(name):
    with pytest.raises(ConfigError, match=r"does not take on_error; it takes .*seed"):
        open_dataset(name, on_error="exclude")


def test_the_place_is_none_of_the_arguments_to_choose(photos):
    with pytest.raises(ConfigError, match="does not take path, colour; it takes val"):
        open_dataset(photos, path="elsewhere", colour="red")


def listed(photos):
    """The photos in a table, in a list file and in PaddleHub's lists, opened with arguments."""
    lines = [f"{name}/{n:02}.jpg" for name in ("cat", "dog") for n in range(9)]
    numbered = "".join(f"{path} {int(path[0] == 'd')}\n" for path in lines)
    (photos / "all.csv").write_text("image,label\n" + "".join(f"{p},{p[:3]}\n" for p in lines))
    (photos / "all.txt").write_text(numbered)
    (photos / "mine.txt").write_text(numbered)
    return {
        "table": ImageTable(photos / "all.csv", class_names=["dog", "cat"], seed=4),
        "list": ImageList(photos / "all.txt", label_list=("cat", "dog"), val_fraction=0.3),
        "folder": ImageFolder(photos, test_fraction=0, keeps_label=LabelKeeping(random_crop=False)),
    }


@pytest.mark.parametrize("kind", ["table", "list", "folder"])
def test_what_a_data_set_says_of_itself_opens_it_again(photos, kind):
    dataset = listed(photos)[kind]

    description = opened_as(dataset)
    if kind == "folder":
        description["keeps_label"] = LabelKeeping(**description["keeps_label"])
    again = open_dataset(description.pop("name"), **description)

    assert type(again) is type(dataset)
    assert again.info == dataset.info
    for phase in dataset.info.num_examples:
        assert again.split(phase).images == dataset.split(phase).images


def test_a_data_set_of_the_catalogue_is_named_by_its_row():
    assert opened_as(Digits(seed=3)) == {"name": "digits", "seed": 3}


def test_paddlehubs_lists_open_again_under_the_names_that_they_have(photos):
    listed(photos)
    (photos / "train_list.txt").write_text((photos / "mine.txt").read_text())
    dataset = BaseCVDataset(photos, "mine.txt", label_list=["cat", "dog"])

    description = opened_as(dataset)

    assert description["name"] == str(photos)
    assert (description["train_list_file"], description["test_list_file"]) == ("mine.txt", None)


class OwnFolder(ImageFolder):
    pass


def test_what_no_name_or_path_opens_says_why(photos):
    listed(photos)
    made = Dataset(DatasetInfo("mine", ("a",)), {"test": Split(((photos / "cat/00.jpg"),), [0])})
    unfindable = BaseCVDataset(photos, "mine.txt", label_list=["cat", "dog"])

    for dataset, reason in [
        (made, "mine is a Dataset made in Python"),
        (OwnFolder(photos), "photos is a OwnFolder made in Python"),
        (unfindable, "this BaseCVDataset of .* would be opened as a ImageFolder"),
    ]:
        with pytest.raises(ConfigError, match=reason):
            opened_as(dataset)
