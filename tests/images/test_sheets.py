import numpy as np

from hubcls.images.sheets import contact_sheet


def plain(color, size=(20, 40)):
    return np.full((*size, 3), color, np.uint8)


def test_images_stand_in_rows_and_columns_in_the_order_given():
    columns = {
        "first": [plain((255, 0, 0)), plain((0, 255, 0))],
        "second_column": [plain((0, 0, 255)), plain((0, 0, 0))],
    }

    sheet = np.asarray(contact_sheet(columns, side=40))

    # Tiles of 20 x 40 pixels with gaps of 6, read from the lower right corner.
    middle = {(row, column): sheet[-16 - 26 * (1 - row), -26 - 46 * (1 - column)]
              for row in (0, 1) for column in (0, 1)}  # fmt: skip
    assert [middle[place].tolist() for place in ((0, 0), (1, 0), (0, 1), (1, 1))] == [
        [255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0],
    ]  # fmt: skip


def test_each_column_has_a_title_above_it():
    sheet = np.asarray(contact_sheet({"left": [plain(255)], "right": [plain(255)]}, side=40))

    ink = np.flatnonzero((sheet < 128).any(axis=(0, 2)))

    assert ink.min() < 46 < ink.max()


def test_a_long_title_takes_more_lines_and_all_images_move_down():
    short = contact_sheet({"a": [plain(0)]}, side=60)
    long = contact_sheet({"a_rather_long_name_of_something": [plain(0)]}, side=60)

    assert long.width == short.width
    assert long.height > short.height
