import numpy as np
import tensorflow as tf
from scipy import stats

from hubcls.images.operations.chance import folded, random_bytes, uniform


def grid(first, second):
    return tf.constant([[a, b] for a in range(first) for b in range(second)], tf.int64)


def test_numbers_are_uniform_in_every_column():
    numbers = uniform(grid(4, 5000), 8).numpy()

    assert 0 <= numbers.min() < 1e-3 < 0.999 < numbers.max() < 1
    assert min(stats.kstest(column, "uniform").pvalue for column in numbers.T) > 1e-3


def test_neighbouring_seeds_and_columns_are_unrelated():
    numbers = uniform(grid(2, 5000), 4).numpy()

    rows = [np.corrcoef(numbers[:-1, 0], numbers[1:, 0])[0, 1]]
    rows.append(np.corrcoef(numbers[:5000, 0], numbers[5000:, 0])[0, 1])
    columns = np.corrcoef(numbers.T) - np.eye(4)

    assert np.abs(rows).max() < 0.05
    assert np.abs(columns).max() < 0.05


def test_a_row_depends_on_its_seed_alone():
    alone = uniform(tf.constant([[3, 4]]), 5).numpy()

    among = uniform(tf.constant([[9, 9], [3, 4]]), 5).numpy()

    assert np.array_equal(alone[0], among[1])


def test_fewer_numbers_are_the_first_of_more():
    seeds = grid(1, 4)

    assert np.array_equal(uniform(seeds, 2), uniform(seeds, 6)[:, :2])


def test_folded_seeds_are_unrelated_to_one_another():
    seeds = grid(1, 5000)

    drawn = [uniform(seeds, 1)[:, 0]]
    drawn += [uniform(folded(seeds, number), 1)[:, 0] for number in (0, 1)]

    assert np.abs(np.corrcoef(drawn) - np.eye(3)).max() < 0.05


def test_negative_and_large_seeds_are_seeds_too():
    seeds = tf.constant([[-1, 2**62], [2**62, -1], [0, 0]], tf.int64)

    assert len(np.unique(uniform(seeds, 1))) == 3


def test_bytes_are_uniform_for_any_count():
    octets = random_bytes(grid(1, 100), 1001).numpy()

    assert (octets.shape, octets.dtype) == ((100, 1001), np.uint8)
    assert stats.chisquare(np.bincount(octets.ravel(), minlength=256)).pvalue > 1e-3


def test_the_generator_is_splitmix64():
    def mixed(number):
        number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        number = (number ^ number >> 27) * 0x94D049BB133111EB % 2**64
        return number ^ number >> 31

    golden = 0x9E3779B97F4A7C15
    key = mixed((mixed((5 + golden) % 2**64) + 7) % 2**64)
    expected = [mixed((key + k * golden) % 2**64) >> 40 for k in (1, 2, 3)]

    found = uniform(tf.constant([[5, 7]]), 3)[0]

    assert np.array_equal(found, np.array(expected) * 2.0**-24)
