import io

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from hubcls.evaluation import figures


@pytest.fixture
def axes():
    return Figure().subplots()


def test_up_to_thirty_classes_the_confusion_matrix_shows_counts_and_names(axes, make_evaluation):
    evaluation = make_evaluation(num_classes=30, num_examples=300)
    names = [row["class_name"] for row in evaluation.per_class]

    figures.draw_confusion(axes, evaluation.confusion, names)

    assert [label.get_text() for label in axes.get_yticklabels()] == names
    assert sum(int(text.get_text()) for text in axes.texts) == 300


def test_beyond_thirty_classes_the_confusion_matrix_is_a_bare_image(axes, make_evaluation):
    evaluation = make_evaluation(num_classes=31, num_examples=300)
    names = [row["class_name"] for row in evaluation.per_class]

    figures.draw_confusion(axes, evaluation.confusion, names)

    assert not axes.texts
    assert axes.images[0].get_array().shape == (31, 31)


def test_the_confusion_matrix_is_coloured_by_share_of_the_true_class(axes):
    figures.draw_confusion(axes, np.array([[1, 3], [0, 0]]), ["a", "b"])

    np.testing.assert_array_equal(axes.images[0].get_array(), [[0.25, 0.75], [0, 0]])


def test_beyond_forty_classes_the_bars_are_those_of_the_lowest_forty(axes):
    rows = [{"class_name": str(i), "f1": 1 - i / 100, "num_examples": 5} for i in range(50)]

    figures.draw_class_scores(axes, rows)

    widths = [bar.get_width() for bar in axes.patches]
    assert widths == sorted(row["f1"] for row in rows)[:40]
    assert "lowest 40 of 50" in axes.get_title()


def test_curves_leave_out_rows_that_lack_the_metric(axes):
    history = [{"step": 0, "val/acc": 0.1}, {"step": 5, "train/acc": 0.2, "val/acc": 0.3}]

    figures.draw_curves(axes, history, ["acc", "f1"])

    curves = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert curves == {"train/acc": [[5, 0.2]], "val/acc": [[0, 0.1], [5, 0.3]]}


def test_every_image_has_its_class_below():
    figure = figures.sample_figure(np.zeros((2, 4, 4, 3), np.uint8), ["rose", "tulip"])

    assert [axes.texts[0].get_text() for axes in figure.axes] == ["rose", "tulip"]


@pytest.mark.parametrize("shape", [(1, 8, 8, 3), (9, 30, 6, 3), (17, 6, 30, 3)])
def test_samples_of_any_number_and_shape_become_one_picture(shape):
    picture = figures.png(figures.sample_figure(np.zeros(shape, np.uint8), ["a"] * shape[0]))

    assert min(Image.open(io.BytesIO(picture)).size) > 100


def test_names_with_signs_of_formulas_are_drawn_as_they_are(axes):
    figures.draw_confusion(axes, np.eye(2, dtype=int), ["$5 bill", "under_score"])

    assert figures.png(axes.figure)[:4] == b"\x89PNG"


def test_the_phases_differ_in_lightness_or_hue_for_every_eye():
    def as_seen_without_red_cones(colour):
        # Viénot, Brettel and Mollon 1999: what protanopes see, in linear RGB.
        red, green, blue = (channel**2.2 for channel in to_rgb(colour))
        return np.array([0.112 * red + 0.888 * green, 0.004 * red + 0.996 * green, blue])

    seen = [as_seen_without_red_cones(c) for c in (figures.BLUE, figures.VERMILLION, figures.GREEN)]

    distances = [np.abs(seen[a] - seen[b]).max() for a, b in ((0, 1), (0, 2), (1, 2))]
    assert min(distances) > 0.1


def test_drawing_opens_no_figure_of_pyplot():
    figures.png(figures.confusion_figure(np.eye(2, dtype=int), ["a", "b"]))

    assert pyplot.get_fignums() == []
