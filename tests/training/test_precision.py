import keras
import pytest
import tensorflow as tf

from hubcls.training import precision
from hubcls.training.precision import dtype_policy, measured_gain
from hubcls.training.run_config import RunConfig
from hubcls.training.work import Convolution, DepthwiseConvolution, work_of


def network(filters=64):
    image = keras.Input((112, 112, 3))
    x = keras.layers.Conv2D(filters, 3, strides=2, padding="same")(image)
    x = keras.layers.Conv2D(filters, 3, padding="same")(x)
    x = keras.layers.Conv2D(filters, 3, padding="same")(x)
    return keras.Model(image, keras.layers.DepthwiseConv2D(5)(x))


@pytest.fixture
def device(monkeypatch, tmp_path):
    """A function: this machine has arithmetic for bfloat16, so many times as fast as float32's."""
    measured = []

    def pretend(gain):
        def seconds(convolution, batch_size, dtype):
            measured.append(convolution)
            return 1.0 if dtype == tf.bfloat16 else gain

        for kind in (Convolution, DepthwiseConvolution):
            monkeypatch.setattr(kind, "seconds", seconds)
        return measured

    monkeypatch.setenv("HUBCLS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(precision, "_cpu", lambda: ("Some CPU", frozenset({"amx_bf16"})))
    return pretend


@pytest.mark.parametrize(("gain", "policy"), [(2.0, "mixed_bfloat16"), (1.1, "float32")])
def test_a_mixed_policy_is_taken_where_it_gains_and_the_log_says_why(gain, policy, device, caplog):
    device(gain)

    with caplog.at_level("INFO", "hubcls"):
        assert dtype_policy(RunConfig(), network()) == policy

    assert f"takes {policy}: this network's convolutions" in caplog.text
    assert f"are {gain:.2f} times as fast in mixed_bfloat16 on this CPU (Some CPU)" in caplog.text


def test_where_nothing_trains_nothing_is_measured(device):
    measured = device(2.0)

    assert dtype_policy(RunConfig(num_epoch=0), network()) == "float32"
    assert not measured


def test_a_network_is_measured_once(device):
    measured = device(2.0)
    dtype_policy(RunConfig(), network())
    first = len(measured)

    again = dtype_policy(RunConfig(), network())
    dtype_policy(RunConfig(), network(filters=72))

    assert again == "mixed_bfloat16"
    assert (first, len(measured)) == (6, 12)


def test_a_damaged_file_of_measurements_is_made_again(device, tmp_path):
    device(2.0)
    path = tmp_path / "home" / "cache" / "precision.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")

    assert dtype_policy(RunConfig(), network()) == "mixed_bfloat16"
    assert '": 2.0' in path.read_text()


def test_nothing_is_measured_where_no_device_could_gain(device, monkeypatch):
    measured = device(2.0)
    monkeypatch.setattr(precision, "_cpu", lambda: ("Some CPU", frozenset({"avx2"})))

    assert dtype_policy(RunConfig(), network()) == "float32"
    assert not measured


def test_where_time_is_short_each_kind_still_counts_for_all_of_its_layers(monkeypatch):
    monkeypatch.setattr(precision, "_MOST_SECONDS", 0.0)

    def take(kind, relative):
        def seconds(one, batch_size, dtype):
            return one.multiply_adds * (1.0 if dtype == tf.float32 else relative)

        monkeypatch.setattr(kind, "seconds", seconds)

    take(Convolution, 0.5)
    take(DepthwiseConvolution, 3.0)
    work = work_of(network())
    total, depthwise = (
        sum(one.multiply_adds * count for one, count in work.items() if isinstance(one, kind))
        for kind in (object, DepthwiseConvolution)
    )

    gain = measured_gain(work, "mixed_bfloat16", 1)

    assert gain == pytest.approx(total / (0.5 * (total - depthwise) + 3.0 * depthwise))


def test_a_network_that_is_hardly_seen_is_not_judged_by_what_is_seen(device):
    measured = device(2.0)
    image = keras.Input((112, 112, 3))
    x = keras.layers.Conv2D(64, 16, strides=2)(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Reshape((1, 64))(x)
    hidden = keras.layers.LSTM(128)(x)

    assert dtype_policy(RunConfig(), keras.Model(image, hidden)) == "float32"
    assert not measured


def test_a_convolution_is_timed_forward_and_backward_in_both_precisions():
    work = work_of(network(filters=4))

    assert 0 < measured_gain(work, "mixed_bfloat16", 1) < 1000


def test_a_run_goes_on_in_the_precision_that_it_began_in(make_task, monkeypatch):
    monkeypatch.setattr(precision, "_candidate", lambda use_gpu: ("mixed_bfloat16", "GPU (some)"))
    begun = make_task(num_epoch=1)
    begun.finetune()
    monkeypatch.setattr(precision, "_candidate", lambda use_gpu: ("float32", "CPU (another)"))

    assert "mixed_bfloat16" in make_task(num_epoch=1).describe_run()
    assert "float32" in make_task(num_epoch=1, resume=False).describe_run()
    assert "mixed_precision: mixed_bfloat16" in (begun.config.folder / "config.yaml").read_text()
