import numpy as np
import pytest

import hubcls


def test_bfloat16_computes_in_bfloat16_with_float32_weights_and_logits(make_task):
    task = make_task(mixed_precision="mixed_bfloat16")

    layer = task.classifier.get_layer("stage")

    assert layer.compute_dtype == "bfloat16"
    assert layer.kernel.dtype == "float32"
    assert task.classifier.get_layer("normalize").compute_dtype == "float32"
    assert task.classifier.output.dtype == "float32"


@pytest.mark.parametrize(
    "policy", ["mixed_bfloat16", pytest.param("mixed_float16", marks=pytest.mark.slow)]
)
def test_a_mixed_model_learns_and_loads_in_float32(make_task, tmp_path, policy):
    task = make_task(
        num_epoch=4,
        mixed_precision=policy,
        strategy=hubcls.AutoFinetuneStrategy(learning_rate=3e-3),
    )

    results = task.finetune_and_eval()

    loaded = hubcls.load(tmp_path / "ckpt")
    assert results["test"].scores["acc"] > 0.9
    assert {layer.compute_dtype for layer in loaded.model.layers} == {"float32"}
    image = np.full((16, 16, 3), 90, np.uint8)
    expected = loaded.model.predict(image[None], verbose=0)
    np.testing.assert_allclose(
        loaded.predict([image])[0].probability,
        float(task.ingredients.problem.probabilities(expected).max()),
        atol=1e-6,
    )


def test_auto_is_float32_on_a_cpu(make_task):
    assert "float32" in make_task(mixed_precision="auto").describe_run()


def test_the_process_keeps_its_own_policy(make_task):
    import keras

    make_task(mixed_precision="mixed_bfloat16").describe_run()

    assert keras.config.dtype_policy().name == "float32"
