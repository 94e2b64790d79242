"""PaddleClas' DistillationModel becomes a DistillationTask."""

import pytest

ARCH = "Arch:\n  name: ResNet50\n  class_num: 2\n"
LOSS = "    - CELoss:\n        weight: 1.0\n        epsilon: 0.1\n"
PAIR = "model_name_pairs: [[Student, Teacher]]"
ARCH_OF_TWO = """\
Arch:
  name: DistillationModel
  class_num: &class_num 2
  pretrained_list:
  freeze_params_list: [True, False]
  infer_model_name: Student
  models:
    - Teacher: {name: ResNet50_vd, class_num: *class_num, pretrained: True, use_ssld: True}
    - Student: {name: MobileNetV3_small_x1_0, class_num: *class_num, pretrained: False}
"""


@pytest.fixture
def with_teacher(convert):
    def of(*losses, arch=ARCH_OF_TWO):
        lines = "".join(f"    - {line}\n" for line in losses)
        return convert((ARCH, arch), (LOSS, lines))

    return of


def test_teacher_and_student_become_task_and_module(with_teacher):
    values = with_teacher(f"DistillationCELoss: {{weight: 1.0, {PAIR}}}").values

    assert values["module"].items() >= {"name": "MobileNetV3_small_x1_0", "weights": None}.items()
    assert values["task"] == {
        "name": "DistillationTask",
        "teacher": {"name": "ResNet50_vd_ssld", "weights": "imagenet"},
        "loss": {"divergence": "kl", "temperature": 1.0},
        "metrics_choices": ["acc", "top5"],
    }


def test_the_teachers_own_file_is_named(with_teacher):
    arch = ARCH_OF_TWO.replace("pretrained: True, use_ssld: True", "pretrained: ./best_model")

    task = with_teacher(f"DistillationCELoss: {{{PAIR}}}", arch=arch).values["task"]

    assert task["teacher"] == {"name": "ResNet50_vd", "weights": "./best_model.pdparams"}


def test_losses_share_what_their_weights_say(with_teacher):
    conversion = with_teacher(
        "DistillationGTCELoss: {weight: 0.25, epsilon: 0.1, model_names: [Student]}",
        f"DistillationKLDivLoss: {{weight: 0.75, temperature: 2, {PAIR}}}",
    )

    assert conversion.values["task"]["loss"] == {
        **{"divergence": "kl", "temperature": 2},
        **{"label_smoothing": 0.1, "label_weight": 0.25},
    }
    assert not [line for line in conversion.not_mapped if line.startswith("Loss")]


@pytest.mark.parametrize(
    ("losses", "gap"),
    [
        (
            [f"DistillationDMLLoss: {{{PAIR}}}"],
            "Loss.Train.DistillationDMLLoss: the symmetric divergence",
        ),
        (
            [
                f"DistillationCELoss: {{weight: 1.0, {PAIR}}}",
                "DistillationGTCELoss: {weight: 1.0, model_names: [Student]}",
            ],
            "Loss.Train.*.weight: 2 in all, here 1",
        ),
        (
            ["DistillationGTCELoss: {model_names: [Student, Teacher]}"],
            "Loss.Train.DistillationGTCELoss.model_names: ['Student', 'Teacher']",
        ),
        (["AFDLoss: {weight: 50.0}"], "Loss.Train.AFDLoss.weight: 50.0"),
    ],
)
def test_what_a_loss_does_otherwise_is_listed(with_teacher, losses, gap):
    assert gap in with_teacher(*losses).not_mapped


def test_a_teacher_that_learns_too_is_listed(with_teacher):
    arch = ARCH_OF_TWO.replace("[True, False]", "[False, False]")

    conversion = with_teacher(f"DistillationCELoss: {{{PAIR}}}", arch=arch)

    assert "Arch.freeze_params_list: [False, False]" in conversion.not_mapped


def test_labels_alone_have_no_share(with_teacher):
    conversion = with_teacher(
        "DistillationGTCELoss: {weight: 1.0, model_names: [Student]}",
        "DistillationDKDLoss: {weight: 1.0}",
    )

    assert "label_weight" not in conversion.values["task"].get("loss", {})
    assert "Loss.Train.DistillationDKDLoss.weight: 1.0" in conversion.not_mapped
